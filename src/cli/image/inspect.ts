/** `image inspect`. */
import { defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { inspectFormat } from "../format/options.ts";
import { findImage } from "../inspect/find.ts";
import { inspectAll } from "../inspect/inspector.ts";
import { platformJson } from "./platform.ts";

const platformHelp = `Inspect a specific platform of the multi-platform image.
If the image or the server is not multi-platform capable, the command will error out if the platform does not match.
'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)`;

export const command = defineCommand({
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  args: { min: 1 },
  flags: { format: inspectFormat, platform: flag.string(platformHelp) },
  run(context, flags, args) {
    const platform = platformJson(flags.value.platform);
    return inspectAll(
      context,
      args,
      flags.value.format,
      findImage(context, platform === undefined ? {} : { platform }),
    );
  },
});
