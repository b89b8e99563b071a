/** Images as package URLs. Source: package-url specification, types `docker` and `oci`; moby/buildkit util/purl. */
import { formatPlatform, type Platform } from "../../oci/platform.ts";
import { familiarName, parseReference, withDefaultTag } from "../../oci/reference.ts";

/** `pkg:docker/busybox@latest?platform=linux%2Famd64` */
export function imageUrl(name: string, platform: Platform): string {
  const reference = withDefaultTag(parseReference(name));
  const tag = reference.tag === undefined ? "" : `@${encodeURIComponent(reference.tag)}`;
  const qualifiers = [
    ...(reference.digest === undefined ? [] : [`digest=${reference.digest}`]),
    `platform=${encodeURIComponent(formatPlatform(platform))}`,
  ];
  const path = familiarName(reference).split("/").map(encodeURIComponent).join("/");
  return `pkg:docker/${path}${tag}?${qualifiers.join("&")}`;
}
