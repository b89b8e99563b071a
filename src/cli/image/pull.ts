/** `pull`, `image pull`. */

import { formatReference, parseReference, repositoryOf, withDefaultTag } from "../../oci/reference.ts";
import { CliError, defineCommand } from "../command.ts";
import type { CliContext } from "../context.ts";
import { flag } from "../flag-kinds.ts";
import { type ProgressTarget, showProgress, silent } from "../terminal/progress.ts";
import { authHeader } from "./registry-auth.ts";

export const command = defineCommand({
  usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
  args: { min: 1, max: 1 },
  flags: {
    "all-tags": flag.bool("Download all tagged images in the repository", { short: "a" }),
    "disable-content-trust": flag.boolOn("Skip image verification"),
    platform: flag.string("Set platform if server is multi-platform capable"),
    quiet: flag.bool("Suppress verbose output", { short: "q" }),
  },
  async run(context, flags, [name = ""]) {
    const { platform, quiet, "all-tags": all } = flags.value;
    const reference = parseReference(name);
    const exact = reference.tag !== undefined || reference.digest !== undefined;
    if (all && exact) throw new CliError("tag can't be used with --all-tags/-a");
    if (!all && !exact && !quiet) context.stdout.print("Using default tag: latest");
    const target: ProgressTarget = quiet
      ? silent
      : { write: (text) => context.stdout.write(text), columns: context.stdout.size()?.columns };
    await pullImage(context, name, { platform, all, target });
    context.stdout.print(all ? repositoryOf(reference) : formatReference(withDefaultTag(reference)));
    return 0;
  },
});

export interface PullOptions {
  platform: string;
  all?: boolean;
  target: ProgressTarget;
}

/** Pulls an image and shows the progress. Throws EngineError when `name` is no reference. */
export async function pullImage(context: CliContext, name: string, options: PullOptions): Promise<void> {
  const reference = parseReference(name);
  const tag = reference.digest ?? reference.tag ?? (options.all ? undefined : "latest");
  const stream = await context.client.stream("POST", "/images/create", {
    query: {
      fromImage: repositoryOf(reference),
      tag,
      platform: options.platform ? options.platform.toLowerCase() : undefined,
    },
    headers: await authHeader(context, reference.domain),
  });
  await showProgress(stream, options.target);
}
