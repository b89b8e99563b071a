/** Access by bearer tokens, as `docker login`, pull and push use them. */

import { errors } from "jose";
import { errorKind, errorMessage } from "../../../base/errors.ts";
import { RegistryError } from "../../api/http-error.ts";
import type { Need } from "../../api/router.ts";
import type { Access } from "../access.ts";
import type { Grant } from "../grant.ts";
import { type AccessEntry, parseAccessClaim } from "./scopes.ts";
import type { TokenVerifier } from "./verifier.ts";

/** Tokens come with every request of a pull; their signatures are checked once. */
const maxRemembered = 10_000;
/** A token far longer than any that lists a hundred repositories. */
const maxToken = 64 << 10;

export interface TokenSettings {
  /** Where clients get tokens, for a request that came by this URL. */
  readonly realm: (url: URL, request: Request) => string;
  readonly service: string;
}

interface Known {
  readonly grant: Grant;
  readonly catalog: boolean;
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

export class TokenAccess implements Access {
  private readonly verifier: TokenVerifier;
  private readonly settings: TokenSettings;
  private readonly known = new Map<string, Known>();

  constructor(verifier: TokenVerifier, settings: TokenSettings) {
    this.verifier = verifier;
    this.settings = settings;
  }

  async check(request: Request, url: URL, need: Need | undefined, stored: string): Promise<Grant> {
    const catalog = url.pathname === "/v2/_catalog";
    const scope = need ? `repository:${need.repository}:${scopeActions(need)}` : catalog ? "registry:catalog:*" : "";
    const refuse = (error?: string, message?: string) => this.challenge(request, url, scope, error, message);
    const header = request.headers.get("authorization");
    const token = /^bearer +(\S+)$/i.exec(header ?? "")?.[1];
    if (token === undefined) throw refuse();
    const found = await this.look(token).catch((error) => {
      if (error instanceof errors.JOSEError || errorKind(error) === "invalid-argument")
        throw refuse("invalid_token", `invalid token: ${errorMessage(error)}`);
      throw error;
    });
    const enough = need
      ? found.grant.allows(need.repository, need.action) || found.grant.allows(stored, need.action)
      : !catalog || found.catalog;
    if (!enough) throw refuse("insufficient_scope");
    return found.grant;
  }

  private async look(token: string): Promise<Known> {
    const known = this.known.get(token);
    if (known && known.expires > Date.now()) return known;
    this.known.delete(token);
    if (token.length > maxToken) throw new errors.JWTInvalid("the token is too long");
    const { sub, exp = 0, access } = await this.verifier.verify(token);
    const entries = parseAccessClaim(access);
    const found = { grant: toGrant(sub, entries), catalog: mayList(entries), expires: exp * 1000 };
    if (this.known.size >= maxRemembered) this.known.clear();
    this.known.set(token, found);
    return found;
  }

  private challenge(request: Request, url: URL, scope: string, error?: string, message?: string): RegistryError {
    const parameters = {
      realm: this.settings.realm(url, request),
      service: this.settings.service,
      ...(scope === "" ? {} : { scope }),
      ...(error === undefined ? {} : { error }),
    };
    const text = Object.entries(parameters).map(([name, value]) => `${name}="${value.replace(/["\\]/g, "")}"`);
    return new RegistryError("UNAUTHORIZED", message, { headers: { "www-authenticate": `Bearer ${text.join(",")}` } });
  }
}

/** A push reads too: blobs are looked for first. */
function scopeActions({ action }: Need): string {
  return action === "push" ? "pull,push" : action;
}

function mayList(entries: readonly AccessEntry[]): boolean {
  return entries.some(({ type, name, actions }) => type === "registry" && name === "catalog" && actions.includes("*"));
}

function toGrant(subject: string | undefined, entries: readonly AccessEntry[]): Grant {
  const allowed = new Set<string>();
  for (const { type, name, actions } of entries) {
    if (type === "repository") for (const action of actions) allowed.add(`${name}:${action}`);
  }
  return {
    user: subject || undefined,
    // Who may list at all may list everything, as with Docker's registry: a token names only what it was asked for.
    everything: mayList(entries),
    allows: (repository, action) => allowed.has(`${repository}:${action}`) || allowed.has(`${repository}:*`),
  };
}
