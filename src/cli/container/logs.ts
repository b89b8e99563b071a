/** `container logs`. */
import type { ContainerInspect } from "../../api/containers.ts";
import { defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { demultiplex } from "../terminal/streams.ts";
import { apiTimestamp } from "../values/timestamp.ts";
import { containerPath } from "./names.ts";

const when = '(e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)';

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER",
  args: { min: 1, max: 1 },
  flags: {
    follow: flag.bool("Follow log output", { short: "f" }),
    since: flag.string(`Show logs since timestamp ${when}`),
    until: flag.string(`Show logs before a timestamp ${when}`),
    timestamps: flag.bool("Show timestamps", { short: "t" }),
    details: flag.bool("Show extra details provided to logs"),
    tail: flag.stringWith("all", "Number of lines to show from the end of the logs", { short: "n" }),
  },
  async run(context, flags, [name = ""]) {
    const { follow, since, until, timestamps, details, tail } = flags.value;
    const path = containerPath(name);
    const response = await context.client.request("GET", `${path}/logs`, {
      query: {
        stdout: true,
        stderr: true,
        since: since === "" ? undefined : apiTimestamp(since),
        until: until === "" ? undefined : apiTimestamp(until),
        timestamps: timestamps || undefined,
        details: details || undefined,
        follow: follow || undefined,
        tail,
      },
    });
    const { body } = response;
    if (!body) return 0;
    const type = response.headers.get("content-type") ?? "";
    if (await isRaw(type)) for await (const chunk of body) await context.stdout.send(chunk);
    else await demultiplex(context, body);
    return 0;

    /** The content type tells; daemons before API 1.42 do not set it, there the container must be looked at. */
    async function isRaw(contentType: string): Promise<boolean> {
      if (contentType.includes("multiplexed-stream")) return false;
      if (context.client.atLeast("1.42")) return true;
      const container = await context.client.json<ContainerInspect>("GET", `${path}/json`);
      return container.Config.Tty === true;
    }
  },
});
