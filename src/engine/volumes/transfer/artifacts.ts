/**
 * Volumes in registries, as OCI artifacts: an image manifest with an artifactType of our own, the empty config, and one layer, the gzipped
 * archive. https://github.com/opencontainers/image-spec/blob/main/manifest.md#guidelines-for-artifact-usage
 */
import type { ProgressMessage } from "../../../api/system.ts";
import type { Volume } from "../../../api/volumes.ts";
import { internal, invalidArgument } from "../../../base/errors.ts";
import { once } from "../../../base/streams.ts";
import { algorithmOf, Digester, digestOf } from "../../../oci/digest.ts";
import { type Descriptor, type Manifest, mediaTypes, parseManifest } from "../../../oci/manifest.ts";
import { parseReference, type Reference, withDefaultTag } from "../../../oci/reference.ts";
import type { Credentials } from "../../../remote/auth.ts";
import type { Registries } from "../../../remote/registries.ts";
import { RegistryError } from "../../../remote/registry-error.ts";
import type { Repository } from "../../../remote/repository.ts";
import { resumingBlob } from "../../../remote/resuming.ts";
import type { PlaceOptions, VolumeData } from "../data.ts";
import type { GzippedArchive, VolumeArchives } from "./archives.ts";

export const volumeArtifactType = "application/vnd.gantry.volume.v1";

const emptyConfig = Buffer.from("{}");
const emptyConfigType = "application/vnd.oci.empty.v1+json";
const labelsAnnotation = "dev.gantry.volume.labels";

export interface TransferOptions {
  credentials: Credentials;
  progress: (message: ProgressMessage) => void;
  signal: AbortSignal;
}

export class VolumeArtifacts {
  private readonly archives: VolumeArchives;
  private readonly data: VolumeData;
  private readonly registries: Pick<Registries, "visit">;

  constructor(archives: VolumeArchives, data: VolumeData, registries: Pick<Registries, "visit">) {
    this.archives = archives;
    this.data = data;
    this.registries = registries;
  }

  /** Pushes the volume as it is at one moment. Returns the manifest's digest. */
  async push(volume: string, name: string, options: TransferOptions): Promise<string> {
    const reference = toReference(name);
    if (reference.tag === undefined) throw invalidArgument("cannot push a digest reference");
    const { signal, credentials, progress } = options;
    progress({ status: `Reading volume ${volume}` });
    const { labels } = await this.data.volumes.get(volume);
    await using archive = await this.archives.gzip(volume, signal);
    const manifest = encodeManifest(volume, labels, archive);
    const pushing = this.registries.visit(reference, "push", credentials, signal, async (repository) => {
      await send(
        repository,
        { digest: digestOf(emptyConfig), size: emptyConfig.length, open: () => once(emptyConfig) },
        signal,
      );
      await send(repository, { ...archive, open: (offset) => counted(archive, offset, progress) }, signal);
      await repository.putManifest(reference.tag as string, mediaTypes.ociManifest, manifest, signal);
    });
    await pushing.catch(refused);
    const digest = digestOf(manifest);
    progress({ status: `${reference.tag}: digest: ${digest} size: ${manifest.length}` });
    return digest;
  }

  /** Fills a volume from an artifact. All or nothing: a blob that is not what its digest says changes nothing. */
  async pull(volume: string, name: string, place: PlaceOptions, options: TransferOptions): Promise<Volume> {
    const reference = toReference(name);
    const { signal, credentials, progress } = options;
    const pulling = this.registries.visit(reference, "pull", credentials, signal, async (repository) => {
      const { bytes, digest } = await repository.manifest(reference.digest ?? reference.tag ?? "", signal);
      const { layer, labels } = readManifest(bytes, name);
      const blob = verifiedBlob(repository, layer, progress, signal);
      const made = await this.archives.import(volume, blob, { ...place, labels: place.labels ?? labels }, signal);
      progress({ status: `Digest: ${digest}` });
      return made;
    });
    return pulling.catch(refused);
  }
}

/** The registry's own words, as an error of ours. */
function refused(error: unknown): never {
  throw error instanceof RegistryError ? internal(error.message, { cause: error }) : error;
}

function toReference(name: string): Reference {
  if (name === "") throw invalidArgument("a reference is needed: registry/repository:tag");
  return withDefaultTag(parseReference(name));
}

function encodeManifest(volume: string, labels: Record<string, string> | null, archive: GzippedArchive): Uint8Array {
  const layer: Descriptor = {
    mediaType: mediaTypes.ociLayerGzip,
    digest: archive.digest,
    size: archive.size,
    annotations: { "org.opencontainers.image.title": `${volume}.tar.gz` },
  };
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    artifactType: volumeArtifactType,
    config: { mediaType: emptyConfigType, digest: digestOf(emptyConfig), size: emptyConfig.length },
    layers: [layer],
    annotations: {
      "org.opencontainers.image.created": new Date().toISOString(),
      "org.opencontainers.image.title": volume,
      ...(labels ? { [labelsAnnotation]: JSON.stringify(labels) } : {}),
    },
  };
  return Buffer.from(JSON.stringify(manifest));
}

function readManifest(bytes: Uint8Array, name: string): { layer: Descriptor; labels: Record<string, string> | null } {
  const parsed = parseManifest(bytes);
  const manifest = "manifest" in parsed ? parsed.manifest : undefined;
  const [layer, ...more] = manifest?.layers ?? [];
  if (manifest?.artifactType !== volumeArtifactType || layer === undefined || more.length > 0) {
    throw invalidArgument(`${name} is not a volume: its artifactType is not ${volumeArtifactType}`);
  }
  return { layer, labels: labelsOf(manifest.annotations?.[labelsAnnotation]) };
}

/** What another wrote there is no reason to refuse its data. */
function labelsOf(text: string | undefined): Record<string, string> | null {
  try {
    const value: unknown = JSON.parse(text ?? "null");
    if (typeof value !== "object" || value === null) return null;
    return Object.fromEntries(Object.entries(value).filter(([, label]) => typeof label === "string"));
  } catch {
    return null;
  }
}

async function send(
  repository: Repository,
  blob: Parameters<Repository["upload"]>[0],
  signal: AbortSignal,
): Promise<void> {
  if (!(await repository.hasBlob(blob.digest, signal))) await repository.upload(blob, signal);
}

async function* counted(
  archive: GzippedArchive,
  offset: number,
  progress: TransferOptions["progress"],
): AsyncGenerator<Uint8Array> {
  const id = archive.digest.slice(7, 19);
  let current = offset;
  for await (const chunk of archive.open(offset)) {
    yield chunk;
    current += chunk.length;
    progress({ status: "Pushing", id, progressDetail: { current, total: archive.size } });
  }
  progress({ status: "Pushed", id, progressDetail: {} });
}

/** A blob of a registry, or an error at the latest behind its last byte: it goes on where a broken connection ended. */
async function* verifiedBlob(
  repository: Repository,
  { digest, size }: Descriptor,
  progress: TransferOptions["progress"],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const digester = new Digester(algorithmOf(digest));
  const id = digest.slice(7, 19);
  let current = 0;
  for await (const chunk of resumingBlob(repository, { digest, size }, signal)) {
    digester.update(chunk);
    current += chunk.length;
    progress({ status: "Downloading", id, progressDetail: { current, total: size } });
    yield chunk;
  }
  if (current !== size || digester.digest() !== digest) {
    throw internal(`volume verification failed for digest ${digest}`);
  }
  progress({ status: "Download complete", id, progressDetail: {} });
}
