/** `manifest inspect`: a list that is being made here, else what the registry has. */
import { CliError, defineCommand } from "../command.ts";
import type { CliContext } from "../context.ts";
import { flag } from "../flag-kinds.ts";
import { encodeList, type LocalManifest, rawBytes } from "./local-manifest.ts";
import { ManifestStore, normalizedReference } from "./manifest-store.ts";
import { fetchManifests } from "./registry.ts";

export const command = defineCommand({
  usage: "[OPTIONS] [MANIFEST_LIST] MANIFEST",
  args: { min: 1, max: 2 },
  flags: {
    insecure: flag.bool("Allow communication with an insecure registry"),
    verbose: flag.bool("Output additional info including layers and platform", { short: "v" }),
  },
  async run(context, flags, args) {
    const { insecure, verbose } = flags.value;
    const store = new ManifestStore(context);
    const name = args.at(-1) ?? "";
    const reference = normalizedReference(name);
    if (args.length === 2) {
      const manifest = store.find(normalizedReference(args[0] ?? ""), reference);
      if (!manifest) throw new CliError(`No such manifest: ${name}`);
      show(context, manifest, verbose);
    } else if (store.has(reference)) showList(context, store.list(reference), verbose);
    else {
      const found = await fetchManifests(context, reference, insecure);
      if ("single" in found) show(context, found.single, verbose);
      else showList(context, found.list, verbose);
    }
    return 0;
  },
});

function show(context: CliContext, manifest: LocalManifest, verbose: boolean): void {
  const shown: unknown = verbose ? manifest : JSON.parse(Buffer.from(rawBytes(manifest)).toString());
  context.stdout.print(JSON.stringify(shown, null, "\t"));
}

function showList(context: CliContext, list: LocalManifest[], verbose: boolean): void {
  context.stdout.print(verbose ? JSON.stringify(list, null, "\t") : Buffer.from(encodeList(list).bytes).toString());
}
