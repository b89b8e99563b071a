/** `volume push` and `volume pull`: a volume as an artifact in a registry. */
import { parseReference } from "../../oci/reference.ts";
import { defineCommand } from "../command.ts";
import type { CliContext } from "../context.ts";
import { flag } from "../flag-kinds.ts";
import { authHeader } from "../image/registry-auth.ts";
import { showProgress } from "../terminal/progress.ts";
import { volumePath } from "./paths.ts";

export const pushCommand = defineCommand({
  usage: "VOLUME NAME[:TAG]",
  args: { min: 2, max: 2 },
  description:
    "Push a volume to a registry, as an OCI artifact. Containers that use it stand still while it is copied aside.",
  flags: {},
  run: (context, _flags, [volume = "", reference = ""]) => transfer(context, volume, "push", reference, {}),
});

export const pullCommand = defineCommand({
  usage: "[OPTIONS] NAME[:TAG|@DIGEST] VOLUME",
  args: { min: 2, max: 2 },
  description: "Fill a volume from an artifact in a registry. A volume that is not there is made.",
  flags: { replace: flag.bool("Overwrite the data of a volume") },
  run: (context, flags, [reference = "", volume = ""]) =>
    transfer(context, volume, "pull", reference, { replace: flags.value.replace || undefined }),
});

async function transfer(
  context: CliContext,
  volume: string,
  verb: "push" | "pull",
  reference: string,
  query: { replace?: true | undefined },
): Promise<number> {
  const stream = await context.client.stream("POST", `${volumePath(volume)}/${verb}`, {
    query: { reference, ...query },
    headers: await authHeader(context, parseReference(reference).domain),
  });
  const target = { write: (text: string) => context.stdout.write(text), columns: context.stdout.size()?.columns };
  await showProgress(stream, target);
  return 0;
}
