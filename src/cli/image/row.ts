/** Images as rows of `images`: one per tag, or per digest where there is no tag. */
import type { ImageSummary } from "../../api/images.ts";
import { shortId } from "../../base/ids.ts";
import { familiarName } from "../../oci/reference.ts";
import { GoObject } from "../format/template/go-type.ts";
import { agoFromSeconds, humanSize, localTime } from "../format/units.ts";
import { tryReference } from "../values/reference.ts";

export const imageHeader = {
  ID: "IMAGE ID",
  Repository: "REPOSITORY",
  Tag: "TAG",
  Digest: "DIGEST",
  CreatedSince: "CREATED",
  CreatedAt: "CREATED AT",
  Size: "SIZE",
  Containers: "CONTAINERS",
  VirtualSize: "SIZE",
  SharedSize: "SHARED SIZE",
  UniqueSize: "UNIQUE SIZE",
};

interface Name {
  repository: string;
  tag: string;
  digest: string;
}

export interface ImageRowOptions {
  truncate: boolean;
  /** A row for each digest, beside the tags. */
  digests: boolean;
  /** Digests go into the rows (`--digests`, or the template shows them). */
  needDigest: boolean;
}

const none = "<none>";

export function imageRows(image: ImageSummary, options: ImageRowOptions): GoObject[] {
  return imageNames(image, options).map((name) => imageRow(image, name, options.truncate));
}

export function isDangling({ RepoTags, RepoDigests }: ImageSummary): boolean {
  const tags = RepoTags ?? [];
  const digests = RepoDigests ?? [];
  if (tags.length === 0 && digests.length === 0) return true;
  return tags.length === 1 && tags[0] === "<none>:<none>" && digests.length === 1 && digests[0] === "<none>@<none>";
}

function imageNames(image: ImageSummary, { digests, needDigest }: ImageRowOptions): Name[] {
  if (isDangling(image)) return [{ repository: none, tag: none, digest: none }];
  const tagsOf = grouped(image.RepoTags ?? [], "tag");
  const digestsOf = grouped(image.RepoDigests ?? [], "digest");
  const names: Name[] = [];
  for (const [repository, tags] of tagsOf) {
    const own = needDigest ? (digestsOf.get(repository) ?? []) : [];
    // Digests of a repository with tags get no row of their own.
    digestsOf.delete(repository);
    for (const tag of tags) {
      if (own.length === 0) names.push({ repository, tag, digest: none });
      for (const digest of own) names.push({ repository, tag, digest });
    }
  }
  for (const [repository, own] of digestsOf) {
    if (digests) for (const digest of own) names.push({ repository, tag: none, digest });
    else names.push({ repository, tag: none, digest: "" });
  }
  return names;
}

function grouped(references: readonly string[], part: "tag" | "digest"): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const text of references) {
    const reference = tryReference(text);
    const value = reference?.[part];
    if (!reference || value === undefined) continue;
    const name = familiarName(reference);
    groups.set(name, [...(groups.get(name) ?? []), value]);
  }
  return groups;
}

export function imageRow(image: ImageSummary, name: Name, truncate: boolean): GoObject {
  return new GoObject("*formatter.imageContext", {
    Containers: () => (image.Containers === -1 ? "N/A" : String(image.Containers ?? 0)),
    CreatedAt: () => localTime(image.Created),
    CreatedSince: () => agoFromSeconds(image.Created),
    Digest: () => name.digest,
    ID: () => (truncate ? shortId(image.Id) : image.Id),
    Repository: () => name.repository,
    SharedSize: () => (image.SharedSize === -1 ? "N/A" : humanSize(image.SharedSize)),
    Size: () => humanSize(image.Size, 3),
    Tag: () => name.tag,
    UniqueSize: () => (image.Size === -1 || image.SharedSize === -1 ? "N/A" : humanSize(image.Size - image.SharedSize)),
    VirtualSize: () => humanSize(image.Size),
  });
}

/** The row of `system df -v`: the first tag only. Undefined for a tag that cannot be read. */
export function diskUsageRow(image: ImageSummary, truncate: boolean): GoObject | undefined {
  let name: Name = { repository: none, tag: none, digest: "" };
  const first = image.RepoTags?.[0];
  if (first !== undefined && !isDangling(image)) {
    const reference = tryReference(first);
    if (!reference) return undefined;
    if (reference.tag !== undefined) name = { repository: familiarName(reference), tag: reference.tag, digest: "" };
  }
  return imageRow(image, name, truncate);
}
