/** `push`, `image push`. */

import { parseReference, repositoryOf } from "../../oci/reference.ts";
import { CliError, defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { showProgress, silent } from "../terminal/progress.ts";
import { platformJson } from "./platform.ts";
import { authHeader } from "./registry-auth.ts";

const platformHelp = `Push a platform-specific manifest as a single-platform image to the registry.
Image index won't be pushed, meaning that other manifests, including attestations won't be preserved.
'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)`;

export const command = defineCommand({
  usage: "[OPTIONS] NAME[:TAG]",
  args: { min: 1, max: 1 },
  flags: {
    "all-tags": flag.bool("Push all tags of an image to the repository", { short: "a" }),
    "disable-content-trust": flag.boolOn("Skip image signing"),
    platform: flag.string(platformHelp),
    quiet: flag.bool("Suppress verbose output", { short: "q" }),
  },
  async run(context, flags, [name = ""]) {
    const { platform, quiet, "all-tags": all } = flags.value;
    const reference = parseReference(name);
    const repository = repositoryOf(reference);
    const { tag, digest } = reference;
    if (all && (tag !== undefined || digest !== undefined)) throw new CliError("tag can't be used with --all-tags/-a");
    if (!all && tag === undefined && digest === undefined && !quiet) context.stdout.print("Using default tag: latest");
    if (digest !== undefined) throw new CliError("cannot push a digest reference");
    const stream = await context.client.stream("POST", `/images/${repository}/push`, {
      query: { tag: all ? undefined : (tag ?? "latest"), platform: platformJson(platform) },
      headers: await authHeader(context, reference.domain),
    });
    const target = { write: (text: string) => context.stdout.write(text), columns: context.stdout.size()?.columns };
    await showProgress(stream, quiet ? silent : target);
    if (quiet) context.stdout.print(all ? repository : `${repository}:${tag ?? "latest"}`);
    return 0;
  },
});
