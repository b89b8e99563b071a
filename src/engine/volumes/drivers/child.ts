/** The hidden verb `__volume`: mounts that may wait for a network are made by a process of their own. */
import { goReason, type Jobs, runJob } from "../../../archive/processes/child-protocol.ts";
import { errorCode, internal } from "../../../base/errors.ts";
import { mountWithOptions, parseMountOptions } from "../../../linux/mounts/mount-options.ts";

export interface MountJob {
  verb: "mount";
  source: string;
  target: string;
  type: string;
  options: string;
}

const jobs: Jobs = {
  mount({ source, target, type, options }: MountJob) {
    try {
      mountWithOptions(source, target, type, options);
    } catch (error) {
      const { flags, data } = parseMountOptions(options);
      const shown = [
        `mount ${source}:${target}`,
        ...(flags === 0 ? [] : [`flags: 0x${flags.toString(16)}`]),
        ...(data === "" ? [] : [`data: ${data}`]),
      ];
      throw internal(`${shown.join(", ")}: ${goReason(errorCode(error) ?? "EIO")}`);
    }
  },
};

export function volumeMain(argv: string[]): Promise<number> {
  return runJob(jobs, argv);
}
