/** `manifest push`: the list's manifests are taken over within the registry, then the list is put. */
import { digestOf } from "../../oci/digest.ts";
import { formatReference, parseReference, type Reference, repositoryOf } from "../../oci/reference.ts";
import type { Repository } from "../../remote/repository.ts";
import { CliError, defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { encodeList, type LocalManifest, manifestOf, rawBytes } from "./local-manifest.ts";
import { ManifestStore, normalizedReference } from "./manifest-store.ts";
import { signal, withRepository } from "./registry.ts";

export const command = defineCommand({
  usage: "[OPTIONS] MANIFEST_LIST",
  args: { min: 1, max: 1 },
  flags: {
    insecure: flag.bool("Allow push to an insecure registry"),
    purge: flag.bool("Remove the local manifest list after push", { short: "p" }),
  },
  async run(context, flags, [name = ""]) {
    const target = normalizedReference(name);
    const store = new ManifestStore(context);
    const manifests = store.list(target);
    if (manifests.length === 0) throw new CliError(`${formatReference(target)} not found`);
    for (const { Ref } of manifests) checkRegistry(parseReference(Ref), target);
    const { mediaType, bytes } = encodeList(manifests);
    await withRepository(context, target, { insecure: flags.value.insecure, purpose: "push" }, async (repository) => {
      for (const manifest of manifests) {
        if (repositoryOf(parseReference(manifest.Ref)) === repositoryOf(target)) continue;
        await takeOver(repository, manifest, target);
        const { digest } = manifest.Descriptor;
        context.stdout.print(`Pushed ref ${repositoryOf(target)}@${digest} with digest: ${digest}`);
      }
      await repository.putManifest(target.tag ?? "", mediaType, bytes, signal);
    });
    context.stdout.print(digestOf(bytes));
    if (flags.value.purge) store.remove(target);
    return 0;
  },
});

function checkRegistry({ domain }: Reference, target: Reference): void {
  if (domain === target.domain) return;
  throw new CliError(
    `cannot use source images from a different registry than the target image: ${domain} != ${target.domain}`,
  );
}

async function takeOver(repository: Repository, manifest: LocalManifest, target: Reference): Promise<void> {
  const { config, layers } = manifestOf(manifest);
  const source = parseReference(manifest.Ref);
  for (const { digest } of [...layers, config]) {
    if (await repository.hasBlob(digest, signal)) continue;
    if (await repository.mountBlob(digest, source.path, signal)) continue;
    throw new CliError(`error mounting ${repositoryOf(source)}@${digest} to ${formatReference(target)}`);
  }
  const { digest, mediaType } = manifest.Descriptor;
  await repository.putManifest(digest, mediaType, rawBytes(manifest), signal);
}
