/** Waiting for a container's exit without missing it: the wait is asked for, and answered with headers, before the start. */
import type { ApiClient } from "../../../api/client.ts";
import type { WaitResponse } from "../../../api/containers.ts";
import { errorMessage } from "../../../base/errors.ts";

/** Exit code for "docker itself failed". */
export const dockerFailure = 125;

export interface ExitWait {
  /** The exit code. Never rejects: what goes wrong is `dockerFailure`. */
  readonly code: Promise<number>;
}

/** Resolves once the daemon has noted that we wait. */
export async function waitForExit(
  client: ApiClient,
  container: string,
  condition: "next-exit" | "removed" | "not-running",
  report: (message: string) => void,
): Promise<ExitWait> {
  const response = await client.request("POST", `/containers/${container}/wait`, { query: { condition } });
  const read = async (): Promise<number> => {
    try {
      const result = (await response.json()) as WaitResponse;
      if (!result.Error) return result.StatusCode;
      report(`Error waiting for container: ${result.Error.Message}`);
    } catch (error) {
      report(`error waiting for container: ${errorMessage(error)}`);
    }
    return dockerFailure;
  };
  return { code: read() };
}
