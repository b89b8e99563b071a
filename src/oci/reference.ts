/**
 * Image references with distribution's grammar and Docker's familiar names: `debian` stands for `docker.io/library/debian:latest`.
 * Grammar and messages: https://github.com/distribution/reference (reference.go, regexp.go, normalize.go).
 */
import { invalidArgument } from "../base/errors.ts";
import { type Digest, isDigest, parseDigest } from "./digest.ts";

/** A normalised reference; `domain/path` names the repository. */
export interface Reference {
  readonly domain: string;
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

export const defaultDomain = "docker.io";
export const defaultTag = "latest";
const officialPrefix = "library/";
const maxNameLength = 255;

const component = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const host = `(?:${component}(?:\\.${component})*|\\[[a-fA-F0-9:]+\\])`;
const pathComponent = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const namePattern = `(?:(${host}(?::[0-9]+)?)/)?(${pathComponent}(?:/${pathComponent})*)`;
const tagPattern = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}";
const digestPattern = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}";
const referenceExpression = new RegExp(`^${namePattern}(?::(${tagPattern}))?(?:@(${digestPattern}))?$`);
const tagExpression = new RegExp(`^${tagPattern}$`);

/**
 * Parses a familiar name (`debian`, `localhost:5000/x:1`, `x@sha256:…`) into a normalised reference; no tag is added.
 * Throws `invalid-argument` in Docker's words.
 */
export function parseReference(text: string): Reference {
  if (/^[a-f0-9]{64}$/.test(text)) {
    throw invalidArgument(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  const [domain, rest] = splitDomain(text);
  const colon = rest.indexOf(":");
  const remoteName = colon < 0 ? rest : rest.slice(0, colon);
  if (remoteName.toLowerCase() !== remoteName) {
    throw invalidArgument(`invalid reference format: repository name (${remoteName}) must be lowercase`);
  }
  const match = referenceExpression.exec(`${domain}/${rest}`);
  if (match?.[1] === undefined || match[2] === undefined) throw invalidArgument("invalid reference format");
  if (match[2].length > maxNameLength) {
    throw invalidArgument(`repository name must not be more than ${maxNameLength} characters`);
  }
  return {
    domain: match[1],
    path: match[2],
    ...(match[3] === undefined ? {} : { tag: match[3] }),
    ...(match[4] === undefined ? {} : { digest: parseDigest(match[4]) }),
  };
}

/** A whole image id (64 hex digits or `sha256:…`) yields a digest, anything else a reference. */
export function parseAnyReference(text: string): { id: Digest } | { reference: Reference } {
  if (/^[a-f0-9]{64}$/.test(text)) return { id: `sha256:${text}` };
  if (isDigest(text)) return { id: text };
  return { reference: parseReference(text) };
}

/** The part before the first `/` is a registry when it has a dot, a colon or a capital, or is `localhost`. */
function splitDomain(name: string): [domain: string, rest: string] {
  const slash = name.indexOf("/");
  const first = name.slice(0, slash);
  let domain = defaultDomain;
  let rest = name;
  if (slash >= 0) {
    if (first === "index.docker.io") rest = name.slice(slash + 1);
    else if (first === "localhost" || /[.:]/.test(first) || first.toLowerCase() !== first) {
      domain = first;
      rest = name.slice(slash + 1);
    }
  }
  if (domain === defaultDomain && !rest.includes("/")) rest = officialPrefix + rest;
  return [domain, rest];
}

/** `docker.io/library/debian` */
export function repositoryOf(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/** `docker.io/library/debian:12@sha256:…` */
export function formatReference(reference: Reference): string {
  return repositoryOf(reference) + suffix(reference);
}

/** `debian` for `docker.io/library/debian:12` */
export function familiarName(reference: Reference): string {
  if (reference.domain !== defaultDomain) return repositoryOf(reference);
  const short = reference.path.startsWith(officialPrefix) ? reference.path.slice(officialPrefix.length) : undefined;
  return short === undefined || short.includes("/") ? reference.path : short;
}

/** `debian:12` */
export function familiarString(reference: Reference): string {
  return familiarName(reference) + suffix(reference);
}

function suffix(reference: Reference): string {
  return (reference.tag ? `:${reference.tag}` : "") + (reference.digest ? `@${reference.digest}` : "");
}

/** Adds `latest` to a reference that has neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: defaultTag } : reference;
}

/** Throws `invalid-argument` for what is not a tag. */
export function withTag(reference: Reference, tag: string): Reference {
  if (!tagExpression.test(tag)) throw invalidArgument("invalid tag format");
  return { domain: reference.domain, path: reference.path, tag };
}

export function withDigest(reference: Reference, digest: Digest): Reference {
  return { domain: reference.domain, path: reference.path, digest };
}
