/** Makes the access that the configuration asks for, and the token server where it is ours. */
import { invalidArgument } from "../../base/errors.ts";
import type { RegistryConfig } from "../config/config.ts";
import type { Database } from "../metadata/database.ts";
import { KeyIndex } from "../metadata/key-index.ts";
import { type Access, AnonymousAccess, BasicAccess } from "./access.ts";
import { Rules } from "./grant.ts";
import { Htpasswd } from "./htpasswd.ts";

export interface OpenAccess {
  readonly access: Access;
  /** Serves `/token` and `/.well-known/jwks.json`. */
  readonly tokens?: { serve(request: Request, url: URL): Promise<Response | undefined> };
}

/** `anonymous`, `basic` or `token`. */
function accessMode(config: RegistryConfig): string {
  return config["access.mode"] || (config["access.htpasswd"] === "" ? "anonymous" : "basic");
}

export async function openAccess(config: RegistryConfig, database: Database): Promise<OpenAccess> {
  const mode = accessMode(config);
  const given = config["access.rules"];
  if (mode === "anonymous") return { access: new AnonymousAccess(given.length > 0 ? new Rules(given) : undefined) };
  const rules = new Rules(given);
  if (mode === "token") return openTokens(config, database, rules);
  const users = await Htpasswd.open(config["access.htpasswd"]);
  return { access: new BasicAccess(users, rules, config["access.realm"]) };
}

/** Loaded only here: the other modes need none of it. */
async function openTokens(config: RegistryConfig, database: Database, rules: Rules): Promise<OpenAccess> {
  const { SigningKeys } = await import("./token/keys.ts");
  const { TokenAccess } = await import("./token/token-access.ts");
  const { TokenServer } = await import("./token/token-server.ts");
  const verifiers = await import("./token/verifier.ts");
  const service = config["access.token.service"];
  const issuer = config["access.token.issuer"];
  const given = config["access.token.realm"];
  const realm = (url: URL, request: Request) => given || `${origin(url, request)}/token`;
  const sources = [];
  if (config["access.token.rootcertbundle"] !== "")
    sources.push(await verifiers.certificateBundle(config["access.token.rootcertbundle"]));
  if (config["access.token.jwks"] !== "") sources.push(await verifiers.keySet(config["access.token.jwks"]));
  if (config["access.htpasswd"] === "") {
    return { access: new TokenAccess(new verifiers.TokenVerifier(sources, issuer, service), { realm, service }) };
  }
  const index = new KeyIndex(database);
  const tokenSeconds = config["access.token.lifetime"];
  const algorithm = config["access.token.algorithm"];
  if (algorithm !== "ES256" && algorithm !== "RS256") throw invalidArgument("access.token.algorithm");
  const keys = new SigningKeys(index, algorithm, config["access.token.rotate"] * 1000, tokenSeconds * 1000);
  sources.unshift(verifiers.ownKeys(keys));
  const users = await Htpasswd.open(config["access.htpasswd"]);
  const refreshSeconds = config["access.token.refresh-lifetime"];
  const settings = { issuer, service, realm: config["access.realm"], tokenSeconds, refreshSeconds };
  return {
    access: new TokenAccess(new verifiers.TokenVerifier(sources, issuer, service), { realm, service }),
    tokens: new TokenServer(users, rules, keys, index, settings),
  };
}

/** As the client sees it, also behind a proxy that ends TLS. */
function origin(url: URL, request: Request): string {
  const forwarded = request.headers.get("x-forwarded-proto");
  const scheme = forwarded === "http" || forwarded === "https" ? forwarded : url.protocol.slice(0, -1);
  return `${scheme}://${url.host}`;
}
