/**
 * What is said about an image (in-toto statements), as a manifest beside it in its index. Statements name the image's manifest: where a push
 * gives that another form, they are written anew. Source: moby/buildkit docs/attestations/attestation-storage.md.
 */
import type { ContentStore } from "../../../content/content.ts";
import { type Digest, digestOf, hexOf } from "../../../oci/digest.ts";
import { type Descriptor, type Index, type Manifest, mediaTypes, parseManifest } from "../../../oci/manifest.ts";
import type { NamedBlob } from "../archive/archived-image.ts";
import { describeBlob, encodeOci } from "./oci-manifest.ts";

export interface Attestation {
  predicateType: string;
  /** The statement about a manifest of this digest. */
  statement(manifest: Digest): object;
}

/** A manifest of statements and all that it names, the manifest last. */
export interface AttestationContent {
  entry: Descriptor;
  blobs: NamedBlob[];
}

export const inTotoType = "application/vnd.in-toto+json";
/** The annotation of a statement that says of what kind it is. */
export const predicateKey = "in-toto.io/predicate-type";
const subjectKey = "vnd.docker.reference.digest";
const typeKey = "vnd.docker.reference.type";
const nowhere = { architecture: "unknown", os: "unknown" };

export function attest(subject: Digest, { predicateType, statement }: Attestation): AttestationContent {
  return contentOf(subject, [{ predicateType, bytes: encode(statement(subject)) }]);
}

/** The manifest that statements of an index are about; undefined: the entry is an image's. */
export function subjectOf({ annotations }: Descriptor): Digest | undefined {
  return annotations?.[typeKey] === "attestation-manifest" ? (annotations[subjectKey] as Digest) : undefined;
}

/** The statements of an entry, about another manifest now; undefined: they are not all here. */
export function readAttestation(
  content: ContentStore,
  entry: Descriptor,
  subject: Digest,
): AttestationContent | undefined {
  const old = subjectOf(entry);
  const manifest = manifestOf(content, entry.digest);
  if (old === undefined || !manifest?.layers.every(({ digest }) => content.find(digest))) return undefined;
  const statements = manifest.layers.map(({ digest, annotations }) => ({
    predicateType: annotations?.[predicateKey] ?? "",
    bytes: about(content.read(digest), old, subject),
  }));
  return contentOf(subject, statements);
}

/** Digests of what the attestations of an index consist of, as far as it is here. */
export function attestedContent(content: ContentStore, index: Index): Digest[] {
  return index.manifests.flatMap((entry) => {
    const manifest = subjectOf(entry) === undefined ? undefined : manifestOf(content, entry.digest);
    return manifest ? [entry.digest, manifest.config.digest, ...manifest.layers.map(({ digest }) => digest)] : [];
  });
}

function manifestOf(content: ContentStore, digest: Digest): Manifest | undefined {
  if (!content.find(digest)) return undefined;
  const parsed = parseManifest(content.read(digest));
  return "manifest" in parsed ? parsed.manifest : undefined;
}

function contentOf(
  subject: Digest,
  statements: readonly { predicateType: string; bytes: Uint8Array }[],
): AttestationContent {
  const blobs = statements.map(({ bytes }) => ({ mediaType: inTotoType, digest: digestOf(bytes), bytes }));
  const diffIds = blobs.map(({ digest }) => digest);
  const bytes = encode({ ...nowhere, config: {}, rootfs: { type: "layers", diff_ids: diffIds } });
  const config = { mediaType: mediaTypes.ociConfig, digest: digestOf(bytes), bytes };
  const layers = blobs.map((blob, at) => ({
    ...describeBlob(blob),
    annotations: { [predicateKey]: statements[at]?.predicateType ?? "" },
  }));
  const manifest = encodeOci(mediaTypes.ociManifest, { config: describeBlob(config), layers });
  const annotations = { [subjectKey]: subject, [typeKey]: "attestation-manifest" };
  return { entry: { ...describeBlob(manifest), annotations, platform: nowhere }, blobs: [...blobs, config, manifest] };
}

/** A digest in hexadecimal is long enough to stand for nothing else in the subjects. */
function about(bytes: Uint8Array, old: Digest, subject: Digest): Uint8Array {
  if (old === subject) return bytes;
  const statement = JSON.parse(Buffer.from(bytes).toString()) as { subject?: { digest?: Record<string, string> }[] };
  const [from, to] = [hexOf(old), hexOf(subject)];
  for (const { digest } of statement.subject ?? []) if (digest?.["sha256"] === from) digest["sha256"] = to;
  return encode(statement);
}

function encode(value: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
