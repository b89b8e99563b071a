/** Login, search, and a look at what a registry has. Spec: Docker Engine API, "System", "Image" and "Distribution". */
import { invalidArgument } from "../../base/errors.ts";
import { goComplaint } from "../../base/go-json-complaint.ts";
import { collectText } from "../../base/streams.ts";
import type { RegistryBackend, RegistryCredentials } from "../backends.ts";
import type { HttpResponse } from "../http/message.ts";
import { json } from "../responses.ts";
import { type Route, type RouteContext, route } from "../router.ts";

const maxBody = 1 << 20;

export function registryRoutes(registries: RegistryBackend): Route[] {
  return [
    route("POST", "/auth", async ({ request }) => {
      const given = parseObject(await collectText(request.body, maxBody));
      const address = textOf(given["serveraddress"]) ?? "";
      const { status, token } = await registries.login(address, toCredentials(given), request.signal);
      return json({ Status: status, IdentityToken: token });
    }),
    route("GET", "/distribution/{name}/json", async ({ params, request }) => {
      const credentials = decodeCredentials(request.headers.get("x-registry-auth"));
      return json(await registries.inspect(params["name"] as string, credentials, request.signal));
    }),
    route("GET", "/images/search", (context) => search(registries, context)),
  ];
}

async function search(registries: RegistryBackend, { query, request }: RouteContext): Promise<HttpResponse> {
  const filters = query.filters(["is-automated", "is-official", "stars"]);
  const stars = (filters["stars"] ?? []).map((value) => {
    if (/^\d+$/.test(value)) return Number(value);
    throw invalidArgument(
      `invalid filter 'stars=${value}': strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`,
    );
  });
  const wanted = (name: string): boolean | undefined => {
    const values = filters[name] ?? [];
    if (values.length === 0) return undefined;
    if (values.length === 1 && (values[0] === "true" || values[0] === "false")) return values[0] === "true";
    throw invalidArgument(`invalid filter '${name}=[${values.join(" ")}]'`);
  };
  const [official, automated] = [wanted("is-official"), wanted("is-automated")];
  const credentials = decodeCredentials(request.headers.get("x-registry-auth"));
  const found = await registries.search(
    query.text("term"),
    query.integer("limit") || undefined,
    credentials,
    request.signal,
  );
  return json(
    found.filter(
      (item) =>
        (official === undefined || item.is_official === official) &&
        (automated === undefined || item.is_automated === automated) &&
        stars.every((least) => item.star_count >= least),
    ),
  );
}

/** Base64 (URL alphabet or not) of JSON; what cannot be read is no credentials, as with dockerd. */
export function decodeCredentials(header: string | undefined): RegistryCredentials {
  if (!header) return {};
  try {
    return toCredentials(parseObject(Buffer.from(header, "base64").toString()));
  } catch {
    return {};
  }
}

/** `{"os":"linux","architecture":"arm64"}` → `linux/arm64`. */
export function platformText(text: string): string {
  if (!isJson(text)) throw invalidArgument(`failed to parse platform: ${goComplaint(text)}`);
  const { os, architecture, variant } = parseObject(text);
  if (!textOf(os) || !textOf(architecture)) throw invalidArgument("both OS and Architecture must be provided");
  return [os, architecture, variant].map(textOf).filter(Boolean).join("/");
}

/** X-Registry-Config: registry address → AuthConfig; what cannot be read is no logins. */
export function decodeLogins(header: string | undefined): Record<string, RegistryCredentials> {
  if (!header) return {};
  try {
    const logins = parseObject(Buffer.from(header, "base64").toString());
    const entries = Object.entries(logins).map(([address, login]) => [
      address,
      toCredentials(login as Record<string, unknown>),
    ]);
    return Object.fromEntries(entries);
  } catch {
    return {};
  }
}

/** From Docker's AuthConfig. */
function toCredentials(value: Record<string, unknown>): RegistryCredentials {
  return {
    username: textOf(value["username"]),
    password: textOf(value["password"]),
    identityToken: textOf(value["identitytoken"]),
    registryToken: textOf(value["registrytoken"]),
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalidArgument("invalid JSON", { cause });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw invalidArgument("invalid JSON: an object is expected");
}
