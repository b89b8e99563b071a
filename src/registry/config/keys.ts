/** The table of the registry's configuration keys: what each is, what it is without being set, and how it is read. */

import { maxManifestSize } from "../../oci/manifest.ts";
import { parseRules, type Rule } from "../access/grant.ts";
import { type Mirror, parseMirrors } from "../mirrors/upstreams.ts";
import { type Endpoint, parseEndpoints } from "../notifications/endpoints.ts";
import { parseImmutables, parseQuotas, type Quota } from "../policies/policies.ts";
import { parseRetention, type RetentionRule } from "../policies/retention.ts";

export type Kind = "text" | "flag" | "bytes" | "seconds" | "count" | "list";

export interface Key<T> {
  readonly kind: Kind;
  readonly default: T;
  readonly doc: string;
  /** Reads a list; throws `invalid-argument`. */
  readonly read?: (value: unknown, at: string) => T;
}

const text = (initial: string, doc: string): Key<string> => ({ kind: "text", default: initial, doc });
const flag = (initial: boolean, doc: string): Key<boolean> => ({ kind: "flag", default: initial, doc });
const bytes = (initial: number, doc: string): Key<number> => ({ kind: "bytes", default: initial, doc });
const seconds = (initial: number, doc: string): Key<number> => ({ kind: "seconds", default: initial, doc });
const count = (initial: number, doc: string): Key<number> => ({ kind: "count", default: initial, doc });
const list = <T>(read: (value: unknown, at: string) => T[], doc: string): Key<T[]> => ({
  kind: "list",
  default: [],
  doc,
  read,
});

export const configKeys = {
  listen: text(":5000", "address to serve on: `host:port`, `:port` for all interfaces"),
  root: text("./registry", "directory of blobs and database"),
  database: text(
    "",
    "`postgres://user:password@host/database`: metadata there instead of in `root`, for any number of instances",
  ),
  "tls.certificate": text("", "file with the certificate chain (PEM); together with `tls.key` turns TLS on"),
  "tls.key": text("", "file with the private key (PEM)"),
  "s3.bucket": text("", "bucket that holds the blobs, instead of `root`"),
  "s3.endpoint": text("", "URL of the S3-compatible service; without it Amazon's"),
  "s3.region": text("us-east-1", "region of the bucket"),
  "s3.access-key": text("", "access key id"),
  "s3.secret-key": text("", "secret access key; better in the environment or the file than on the command line"),
  "s3.redirect": flag(false, "send clients to the bucket for blobs, which must let them in by presigned URL"),
  "s3.prefix": text("", "put before each object's key; ends in `/`"),
  "access.mode": text(
    "",
    "`anonymous`, `basic` or `token`; without it `basic` where there is `access.htpasswd`, else `anonymous`",
  ),
  "access.htpasswd": text("", "file of users with bcrypt hashes"),
  "access.realm": text("Gantry Registry", "realm shown to clients that must log in"),
  "access.rules": list<Rule>(
    parseRules,
    "who may do what, [see below](#access); without it every user may do everything",
  ),
  "access.token.service": text("gantry-registry", "name of this registry in tokens"),
  "access.token.issuer": text("gantry-registry", "name of the token server in tokens"),
  "access.token.realm": text("", "URL of the token server; without it the built-in one, `/token` here"),
  "access.token.rootcertbundle": text(
    "",
    "file of certificates (PEM) whose keys sign tokens, or the certificates in them",
  ),
  "access.token.jwks": text("", "file or URL of a JSON Web Key Set whose keys sign tokens"),
  "access.token.algorithm": text("ES256", "signature of the built-in server's tokens: `ES256` or `RS256`"),
  "access.token.lifetime": seconds(300, "lifetime of the built-in server's tokens"),
  "access.token.refresh-lifetime": seconds(
    7_776_000,
    "lifetime of its refresh tokens, which `docker login` keeps instead of the password",
  ),
  "access.token.rotate": seconds(2_592_000, "age at which its key makes room for a new one"),
  "log.level": text("info", "`debug`, `info`, `warn` or `error`"),
  "log.access": flag(true, "one line of JSON for each request on standard output"),
  "delete.enabled": flag(true, "whether manifests, tags and blobs may be deleted over HTTP"),
  "limits.manifest": bytes(maxManifestSize, "largest manifest; at most 4 MiB"),
  "limits.blob": bytes(0, "largest blob; 0 is no limit"),
  "limits.page": count(1000, "most entries of one page of tags, repositories or referrers"),
  "timeouts.idle": seconds(120, "a connection on which nothing moves for so long is closed; at most 255"),
  "timeouts.shutdown": seconds(30, "how long requests under way may go on after SIGTERM"),
  "uploads.lifetime": seconds(86400, "an upload that nobody touched for so long is dropped"),
  "gc.interval": seconds(3600, "time between garbage collections; 0 is never"),
  "gc.lease": seconds(900, "how long a blob that a client was told exists is kept without a manifest"),
  "gc.untagged": flag(false, "whether manifests that no tag, index or subject leads to are collected"),
  "tags.immutable": list<string>(parseImmutables, "tags that stay what they are: `repositories:tags`, globs"),
  quotas: list<Quota>(parseQuotas, "how many bytes namespaces may hold, [see below](#policies)"),
  retention: list<RetentionRule>(parseRetention, "which tags stay, [see below](#policies)"),
  notifications: list<Endpoint>(
    parseEndpoints,
    "who is told of pushes, pulls and deletes, [see below](#notifications)",
  ),
  mirrors: list<Mirror>(parseMirrors, "upstreams whose images are fetched and kept, [see below](#pull-through-cache)"),
};

export type ConfigKey = keyof typeof configKeys;
export type RegistryConfig = { readonly [K in ConfigKey]: (typeof configKeys)[K]["default"] };
