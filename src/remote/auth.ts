/**
 * Credentials and tokens. Basic, and the token flow of https://distribution.github.io/distribution/spec/auth/token/: the registry
 * names a realm, which gives a token for a scope, for a password or for an identity token.
 */
import { goComplaint } from "../base/go-json-complaint.ts";
import { bodyOf, collectText } from "../base/streams.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import { RegistryError, toRegistryError } from "./registry-error.ts";
import type { RequestOptions, Transport } from "./transport.ts";

/** As in `X-Registry-Auth` and the body of `POST /auth`. */
export interface Credentials {
  username?: string | undefined;
  password?: string | undefined;
  /** A refresh token, instead of a password. */
  identityToken?: string | undefined;
  /** A bearer token that is sent as it is. */
  registryToken?: string | undefined;
}

interface Token {
  value: string;
  /** Milliseconds since 1970. */
  expires: number;
}

const clientId = "docker";
const maxTokenAnswer = 1 << 20;
const defaultLifetimeMillis = 60_000;

export class Authenticator {
  private readonly transport: Transport;
  private readonly credentials: Credentials;
  private challenges: Challenge[] = [];
  private readonly tokens = new Map<string, Token>();
  /** What the token server gave to be kept instead of the password, when it was asked for. */
  refreshToken = "";

  constructor(transport: Transport, credentials: Credentials) {
    this.transport = transport;
    this.credentials = credentials;
  }

  /** Learns from a refusal how the registry wants to be asked. */
  learn(response: Response): void {
    const found = parseChallenges(response.headers.get("WWW-Authenticate"));
    if (found.length > 0) this.challenges = found;
  }

  /** Forgets tokens: the registry refused one of them. */
  forget(): void {
    this.tokens.clear();
  }

  /** The header for a request of this scope (`repository:library/x:pull`); none as long as nobody asked for it. */
  async headers(scopes: readonly string[], signal: AbortSignal, offline = false): Promise<Record<string, string>> {
    if (this.credentials.registryToken) return { Authorization: `Bearer ${this.credentials.registryToken}` };
    const bearer = this.challenges.find(({ scheme }) => scheme === "bearer");
    if (bearer) return { Authorization: `Bearer ${await this.token(bearer, scopes, signal, offline)}` };
    if (!this.challenges.some(({ scheme }) => scheme === "basic")) return {};
    const { username, password } = this.credentials;
    if (!username || !password) throw new RegistryError("no basic auth credentials", { status: 401 });
    return basicHeader(this.credentials);
  }

  private async token(challenge: Challenge, scopes: readonly string[], signal: AbortSignal, offline: boolean) {
    const key = scopes.join(" ");
    const known = this.tokens.get(key);
    if (known && known.expires > Date.now()) return known.value;
    const { realm = "", service = "" } = challenge.parameters;
    const { url, options } = this.tokenRequest(realmUrl(realm), service, scopes, offline);
    const response = await this.transport.fetch(url, { ...options, signal });
    if (!response.ok) throw await toRegistryError(response);
    const answer = await tokenAnswer(response);
    const value = answer["access_token"] || answer["token"];
    if (typeof value !== "string" || value === "")
      throw new RegistryError("authorization server did not include a token in the response", { status: 401 });
    if (typeof answer["refresh_token"] === "string") this.refreshToken = answer["refresh_token"];
    const seconds = typeof answer["expires_in"] === "number" ? answer["expires_in"] : 0;
    // A little early, so that it does not run out on its way.
    this.tokens.set(key, { value, expires: Date.now() + Math.max(seconds * 900, defaultLifetimeMillis * 0.9) });
    return value;
  }

  private tokenRequest(realm: URL, service: string, scopes: readonly string[], offline: boolean) {
    const { username, identityToken } = this.credentials;
    if (identityToken) {
      const form = new URLSearchParams({
        grant_type: "refresh_token",
        service,
        client_id: clientId,
        refresh_token: identityToken,
        ...(scopes.length > 0 ? { scope: scopes.join(" ") } : {}),
      });
      const headers = { "Content-Type": "application/x-www-form-urlencoded" };
      return {
        url: realm.href,
        options: { method: "POST", headers, body: () => form.toString() } satisfies Partial<RequestOptions>,
      };
    }
    if (service) realm.searchParams.set("service", service);
    for (const scope of scopes) realm.searchParams.append("scope", scope);
    if (offline) realm.searchParams.set("offline_token", "true");
    if (offline) realm.searchParams.set("client_id", clientId);
    if (username) realm.searchParams.set("account", username);
    realm.searchParams.sort();
    return { url: realm.href, options: { headers: basicHeader(this.credentials) } satisfies Partial<RequestOptions> };
  }
}

/** Throws in the words of distribution's client. */
function realmUrl(realm: string): URL {
  if (realm === "") throw new RegistryError("no realm specified for token auth challenge", { status: 401 });
  if (URL.canParse(realm)) return new URL(realm);
  const why = `invalid token auth challenge realm: parse ${JSON.stringify(realm)}: missing protocol scheme`;
  throw new RegistryError(why, { status: 401 });
}

async function tokenAnswer(response: Response): Promise<Record<string, unknown>> {
  const text = await collectText(bodyOf(response), maxTokenAnswer).catch((error: unknown) => {
    if (!(error instanceof RangeError)) throw error;
    throw new RegistryError("the authorization server's answer is too long", { status: 401 });
  });
  try {
    const answer: unknown = JSON.parse(text);
    return typeof answer === "object" && answer !== null ? (answer as Record<string, unknown>) : {};
  } catch (cause) {
    throw new RegistryError(`unable to decode token response: ${goComplaint(text)}`, { status: 401 }, { cause });
  }
}

/** None without a name or a password. */
export function basicHeader({ username, password }: Credentials): Record<string, string> {
  if (!username || !password) return {};
  return { Authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` };
}
