/** Who is let in, in three modes: everyone, users with their passwords, and whoever shows a token. */

import { RegistryError } from "../api/http-error.ts";
import type { Need } from "../api/router.ts";
import { fullGrant, type Grant, type Rules } from "./grant.ts";
import { basicCredentials, type Htpasswd, isAnonymous } from "./htpasswd.ts";

export interface Access {
  /**
   * What the request may do, which is at least what it needs. `need` undefined: the version check or the catalogue, for which it must be
   * known who asks. `stored` is the name of the repository here, where the client asked by another. Throws UNAUTHORIZED or DENIED.
   */
  check(request: Request, url: URL, need: Need | undefined, stored: string): Promise<Grant>;
}

/** Everyone, by the rules for `anonymous` if there are any. */
export class AnonymousAccess implements Access {
  private readonly grant: Grant;

  constructor(rules: Rules | undefined) {
    this.grant = rules?.grant(undefined) ?? fullGrant;
  }

  async check(_request: Request, _url: URL, need: Need | undefined, stored: string): Promise<Grant> {
    if (need && !this.grant.allows(stored, need.action)) throw new RegistryError("DENIED");
    return this.grant;
  }
}

/** By name and password in each request. */
export class BasicAccess implements Access {
  private readonly users: Htpasswd;
  private readonly rules: Rules;
  private readonly realm: string;

  constructor(users: Htpasswd, rules: Rules, realm: string) {
    this.users = users;
    this.rules = rules;
    this.realm = realm;
  }

  async check(request: Request, _url: URL, need: Need | undefined, stored: string): Promise<Grant> {
    const header = request.headers.get("authorization");
    const credentials = basicCredentials(header);
    if (credentials) {
      if (!(await this.users.verify(credentials))) throw this.challenge("invalid authorization credential");
    } else if (!isAnonymous(header) || !need || !this.rules.allows(undefined, stored, need.action)) {
      // The version check too: by its refusal clients learn that there are passwords.
      throw this.challenge();
    }
    const grant = this.rules.grant(credentials?.user);
    if (!need || grant.allows(stored, need.action)) return grant;
    // An answer to HEAD has no body that could say so, and dockerd takes a bare 403 for a failure that passes: it tries for a minute.
    if (request.method === "HEAD") throw this.challenge();
    throw new RegistryError("DENIED");
  }

  /** Clients know the code's own message; why it is so comes beside it. */
  private challenge(detail?: string): RegistryError {
    const headers = { "www-authenticate": `Basic realm="${this.realm.replace(/["\\]/g, "")}"` };
    return new RegistryError("UNAUTHORIZED", undefined, { headers, detail });
  }
}
