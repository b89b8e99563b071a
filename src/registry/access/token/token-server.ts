/**
 * The token server that is built in: `/token` gives signed tokens for passwords and refresh tokens, with as much of what was asked for as
 * the rules allow. https://distribution.github.io/distribution/spec/auth/jwt/ and …/auth/oauth/
 */
import { SignJWT } from "jose";
import type { KeyIndex } from "../../metadata/key-index.ts";
import { type Action, actions as everyAction, type Rules } from "../grant.ts";
import { basicCredentials, type Htpasswd, isAnonymous } from "../htpasswd.ts";
import type { SigningKeys } from "./keys.ts";
import { type AccessEntry, formatScope, parseScopes } from "./scopes.ts";

export interface TokenServerSettings {
  readonly issuer: string;
  readonly service: string;
  readonly realm: string;
  readonly tokenSeconds: number;
  readonly refreshSeconds: number;
}

/** Bodies are a few parameters. */
const maxForm = 64 << 10;
const clockSkewSeconds = 10;

interface Wanted {
  readonly service: string;
  readonly scopes: readonly AccessEntry[];
  readonly offline: boolean;
}

export class TokenServer {
  private readonly users: Htpasswd;
  private readonly rules: Rules;
  private readonly keys: SigningKeys;
  private readonly index: KeyIndex;
  private readonly settings: TokenServerSettings;

  constructor(users: Htpasswd, rules: Rules, keys: SigningKeys, index: KeyIndex, settings: TokenServerSettings) {
    this.users = users;
    this.rules = rules;
    this.keys = keys;
    this.index = index;
    this.settings = settings;
  }

  /** Answers `/token` and `/.well-known/jwks.json`; undefined for other paths. */
  async serve(request: Request, url: URL): Promise<Response | undefined> {
    if (url.pathname === "/.well-known/jwks.json") return Response.json({ keys: await this.keys.publicKeys() });
    if (url.pathname !== "/token") return undefined;
    if (request.method === "GET") return this.byQuery(request, url.searchParams);
    if (request.method === "POST") return this.byForm(request);
    return new Response(null, { status: 405, headers: { allow: "GET, POST" } });
  }

  /** Basic credentials, or none for what is open to everyone. */
  private async byQuery(request: Request, query: URLSearchParams): Promise<Response> {
    const header = request.headers.get("authorization");
    const credentials = basicCredentials(header);
    if (!isAnonymous(header) && !(credentials && (await this.users.verify(credentials)))) return this.refuse();
    if (!credentials && !this.rules.admitsAnonymous) return this.refuse();
    return this.give(credentials?.user, {
      service: query.get("service") ?? this.settings.service,
      scopes: parseScopes(query.getAll("scope")),
      offline: query.get("offline_token") === "true",
    });
  }

  /** OAuth 2: a password, or the refresh token that an earlier one was exchanged for. */
  private async byForm(request: Request): Promise<Response> {
    const form = await readForm(request);
    if (!form) return oauthError(400, "invalid_request", "a form of a few parameters is expected");
    const service = form.get("service") ?? "";
    if (service === "") return oauthError(400, "invalid_request", "service is missing");
    if (!form.get("client_id")) return oauthError(400, "invalid_request", "client_id is missing");
    const scopes = parseScopes(form.getAll("scope"));
    const wanted = { service, scopes, offline: form.get("access_type") === "offline" };
    const refreshToken = form.get("refresh_token") ?? "";
    switch (form.get("grant_type")) {
      case "password": {
        const credentials = { user: form.get("username") ?? "", password: form.get("password") ?? "" };
        if (!(await this.users.verify(credentials))) return oauthError(401, "invalid_grant", "wrong name or password");
        return this.give(credentials.user, wanted);
      }
      case "refresh_token": {
        const user = await this.userOf(refreshToken, service);
        if (user === undefined) return oauthError(401, "invalid_grant", "the refresh token is not valid, or no longer");
        return this.give(user, { ...wanted, offline: false }, refreshToken);
      }
      default:
        return oauthError(400, "unsupported_grant_type", "grant_type must be password or refresh_token");
    }
  }

  private async give(user: string | undefined, wanted: Wanted, refreshToken?: string): Promise<Response> {
    const { service, tokenSeconds } = this.settings;
    if (wanted.service !== service) return oauthError(400, "invalid_request", `this is the token server of ${service}`);
    const access = this.allowed(user, wanted.scopes);
    const issued = Math.floor(Date.now() / 1000);
    const { id, algorithm, key } = await this.keys.current();
    const token = await new SignJWT({ access })
      .setProtectedHeader({ typ: "JWT", alg: algorithm, kid: id })
      .setIssuer(this.settings.issuer)
      .setSubject(user ?? "")
      .setAudience(service)
      .setIssuedAt(issued)
      .setNotBefore(issued - clockSkewSeconds)
      .setExpirationTime(issued + tokenSeconds)
      .setJti(crypto.randomUUID())
      .sign(key);
    const lasting = refreshToken ?? (wanted.offline && user !== undefined ? await this.makeRefresh(user) : undefined);
    return Response.json(
      {
        token,
        access_token: token,
        expires_in: tokenSeconds,
        issued_at: new Date(issued * 1000).toISOString(),
        scope: access.map(formatScope).join(" "),
        ...(lasting === undefined ? {} : { refresh_token: lasting }),
      },
      { headers: { "cache-control": "no-store" } },
    );
  }

  /** As much of what was asked for as the rules allow. */
  private allowed(user: string | undefined, scopes: readonly AccessEntry[]): AccessEntry[] {
    return scopes.flatMap(({ type, name, actions }) => {
      if (type === "registry") {
        // The whole list is for those who may pull all that is on it.
        return name === "catalog" && this.rules.grant(user).everything ? [{ type, name, actions: ["*"] }] : [];
      }
      if (type !== "repository") return [];
      const wanted = actions.includes("*") ? everyAction : actions;
      const granted = wanted.filter((action) => this.rules.allows(user, name, action as Action));
      return granted.length > 0 ? [{ type, name, actions: granted }] : [];
    });
  }

  private async makeRefresh(user: string): Promise<string> {
    await this.index.removeRefreshes(Date.now() - this.settings.refreshSeconds * 1000);
    const token = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url");
    await this.index.addRefresh(await this.refreshHash(token, user), user, this.settings.service);
    return `${Buffer.from(user).toString("base64url")}.${token}`;
  }

  private async userOf(refreshToken: string, service: string): Promise<string | undefined> {
    const [name = "", token = ""] = refreshToken.split(".");
    const user = Buffer.from(name, "base64url").toString("utf8");
    const hash = await this.refreshHash(token, user);
    const found = await this.index.refreshUser(hash, service, Date.now() - this.settings.refreshSeconds * 1000);
    return found === user ? user : undefined;
  }

  /** With the user's password in it: another password makes all earlier tokens worthless. */
  private async refreshHash(token: string, user: string): Promise<string> {
    const fingerprint = (await this.users.fingerprint(user)) ?? crypto.randomUUID();
    return new Bun.CryptoHasher("sha256").update(`${token}\0${user}\0${fingerprint}`).digest("hex");
  }

  private refuse(): Response {
    const headers = { "www-authenticate": `Basic realm="${this.settings.realm.replace(/["\\]/g, "")}"` };
    const errors = [{ code: "UNAUTHORIZED", message: "incorrect username or password" }];
    return Response.json({ errors, details: "incorrect username or password" }, { status: 401, headers });
  }
}

async function readForm(request: Request): Promise<URLSearchParams | undefined> {
  if (!/^application\/x-www-form-urlencoded\b/i.test(request.headers.get("content-type") ?? "")) return undefined;
  let text = "";
  for await (const chunk of request.body ?? []) {
    text += Buffer.from(chunk).toString("latin1");
    if (text.length > maxForm) return undefined;
  }
  return new URLSearchParams(text);
}

/** https://www.rfc-editor.org/rfc/rfc6749#section-5.2 */
function oauthError(status: number, error: string, description: string): Response {
  return Response.json({ error, error_description: description }, { status, headers: { "cache-control": "no-store" } });
}
