/** Credentials of a registry, as config.json and docker's credential helpers keep them. */
import type { CliContext } from "../context.ts";

export interface RegistryCredentials {
  username?: string;
  password?: string;
  serveraddress: string;
  identitytoken?: string;
}

/** The key under which docker keeps Docker Hub's credentials. */
export const hubAddress = "https://index.docker.io/v1/";

/** Credentials for a registry host (`docker.io`, `registry:5000`); without username when none are stored. */
export async function credentialsFor(context: CliContext, registry: string): Promise<RegistryCredentials> {
  const address = registry === "docker.io" ? hubAddress : registry;
  const { values } = context.config;
  const helper = values.credHelpers?.[address] ?? values.credsStore;
  if (helper) {
    const found = await askHelper(helper, address);
    if (found) return found;
  }
  const auths = values.auths ?? {};
  const entry = auths[address] ?? Object.entries(auths).find(([key]) => hostOf(key) === hostOf(address))?.[1];
  const [username, password] = entry?.auth ? splitAuth(entry.auth) : [entry?.username, entry?.password];
  return {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(entry?.identitytoken ? { identitytoken: entry.identitytoken } : {}),
    serveraddress: address,
  };
}

/** Every registry with a login, by its address: a build may pull from any of them. */
export async function allCredentials(context: CliContext): Promise<Record<string, RegistryCredentials>> {
  const { auths = {}, credHelpers = {} } = context.config.values;
  const addresses = new Set([...Object.keys(auths), ...Object.keys(credHelpers)]);
  const found = await Promise.all(
    [...addresses].map(async (address) => [address, await credentialsFor(context, address)] as const),
  );
  return Object.fromEntries(found);
}

/** The `X-Registry-Auth` header: URL-safe base64 with its padding, `{}` where nothing is known of the registry. */
export async function authHeader(context: CliContext, registry: string): Promise<Record<string, string>> {
  const credentials = await credentialsFor(context, registry);
  const known = credentials.username !== undefined || credentials.identitytoken !== undefined;
  const base64 = Buffer.from(JSON.stringify(known ? credentials : {})).toString("base64");
  return { "X-Registry-Auth": base64.replaceAll("+", "-").replaceAll("/", "_") };
}

function hostOf(address: string): string {
  return address.replace(/^https?:\/\//, "").split("/")[0] ?? "";
}

function splitAuth(auth: string): [string, string] {
  const text = Buffer.from(auth, "base64").toString().replaceAll("\0", "");
  const colon = text.indexOf(":");
  return [text.slice(0, colon), text.slice(colon + 1)];
}

/** Runs `docker-credential-NAME get`. Undefined when it knows nothing of the registry or is not installed. */
async function askHelper(name: string, address: string): Promise<RegistryCredentials | undefined> {
  const output = await runHelper(name, "get", address);
  if (output === undefined) return undefined;
  const { Username, Secret } = JSON.parse(output) as { Username: string; Secret: string };
  return Username === "<token>"
    ? { identitytoken: Secret, serveraddress: address }
    : { username: Username, password: Secret, serveraddress: address };
}

/** Standard output of a credential helper; undefined when it fails. */
export async function runHelper(
  name: string,
  verb: "get" | "store" | "erase",
  input: string,
): Promise<string | undefined> {
  try {
    const child = Bun.spawn([`docker-credential-${name}`, verb], {
      stdin: Buffer.from(input),
      stdout: "pipe",
      stderr: "ignore",
    });
    const output = await new Response(child.stdout).text();
    return (await child.exited) === 0 ? output : undefined;
  } catch {
    return undefined;
  }
}
