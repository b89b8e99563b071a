/** Registries, spoken to by the CLI itself: the manifest commands need no daemon. */
import { asStrings, optional } from "../../oci/json.ts";
import { type Descriptor, type Manifest, parseManifest } from "../../oci/manifest.ts";
import { familiarString, formatReference, type Reference } from "../../oci/reference.ts";
import { Registries } from "../../remote/registries.ts";
import { RegistryError } from "../../remote/registry-error.ts";
import type { Repository } from "../../remote/repository.ts";
import { CliError } from "../command.ts";
import type { CliContext } from "../context.ts";
import { credentialsFor } from "../image/registry-auth.ts";
import { type LocalManifest, type ManifestPlatform, newLocalManifest, ordered } from "./local-manifest.ts";

const maxConfig = 8 << 20;
/** Ends with the program. */
export const signal = new AbortController().signal;

/** Throws in docker's words. `insecure`: unknown certificates and http are fine. */
export async function withRepository<T>(
  context: CliContext,
  reference: Reference,
  options: { insecure: boolean; purpose: "pull" | "push" },
  work: (repository: Repository) => Promise<T>,
): Promise<T> {
  const registries = new Registries({ mirrors: [], insecure: options.insecure ? [reference.domain] : [] });
  const { username, password, identitytoken: identityToken } = await credentialsFor(context, reference.domain);
  try {
    return await registries.visit(reference, options.purpose, { username, password, identityToken }, signal, work);
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    if (error.code === "MANIFEST_UNKNOWN" || error.code === "NAME_UNKNOWN")
      throw new CliError(`no such manifest: ${familiarString(reference)}`, 1, { cause: error });
    const pinging = error.status === 0 ? "failed to configure transport: error pinging v2 registry: " : "";
    throw new CliError(`${pinging}${error.message}`, 1, { cause: error });
  }
}

/** A manifest, or all of a list. */
export function fetchManifests(
  context: CliContext,
  reference: Reference,
  insecure: boolean,
): Promise<{ single: LocalManifest } | { list: LocalManifest[] }> {
  return withRepository(context, reference, { insecure, purpose: "pull" }, async (repository) => {
    const top = await repository.manifest(reference.digest ?? reference.tag ?? "", signal);
    const parsed = parseManifest(top.bytes);
    const ref = formatReference(reference);
    if ("manifest" in parsed) {
      const platform = await platformOf(repository, parsed.manifest);
      return { single: newLocalManifest(ref, top.bytes, top, platform) };
    }
    const list: LocalManifest[] = [];
    for (const entry of parsed.index.manifests) {
      const { bytes } = await repository.manifest(entry.digest, signal);
      const full = `${ref.replace(/@.*$/, "")}@${entry.digest}`;
      list.push(newLocalManifest(full, bytes, entry, entry.platform && toPlatform(entry.platform)));
    }
    return { list };
  });
}

function toPlatform({ architecture, os, variant, ...rest }: NonNullable<Descriptor["platform"]>): ManifestPlatform {
  return ordered({ architecture, os, ...rest, ...(variant ? { variant } : {}) });
}

async function platformOf(repository: Repository, { config }: Manifest): Promise<ManifestPlatform> {
  const object = await repository.config(config.digest, maxConfig, signal);
  const text = (name: string) => (typeof object[name] === "string" ? (object[name] as string) : "");
  return ordered({
    architecture: text("architecture"),
    os: text("os"),
    "os.version": text("os.version"),
    "os.features": optional(object["os.features"], "os.features", asStrings) ?? [],
    variant: text("variant"),
  });
}
