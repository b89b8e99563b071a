/** Errors as the docker CLI prints them. */
import { ApiError } from "../api/client-error.ts";
import { errorMessage } from "../base/errors.ts";

/** The text of any thrown value: the daemon's errors get Docker's prefix. */
export function describeError(error: unknown): string {
  return error instanceof ApiError ? `Error response from daemon: ${error.message}` : errorMessage(error);
}
