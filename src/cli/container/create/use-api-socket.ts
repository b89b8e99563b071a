/** `--use-api-socket`: the daemon's own socket inside the container, and the registry credentials that go with it. */
import { CliError } from "../../command.ts";
import type { CliContext } from "../../context.ts";
import { credentialsFor } from "../../image/registry-auth.ts";
import { encodeHeader, paddingOf } from "../../tar/tar-format.ts";
import type { CreateBody } from "./create-config.ts";

const socketInContainer = "/var/run/docker.sock";
const configFolder = "/run/secrets/docker";

/** Changes the body before the container is created; returns what is to be done with its id afterwards. */
export async function addApiSocket(context: CliContext, body: CreateBody): Promise<(id: string) => Promise<void>> {
  const { unix } = context.endpoint;
  if (unix === undefined) throw new CliError("flag --use-api-socket needs a daemon that is reached by its unix socket");
  const mount = { Type: "bind" as const, Source: unix, Target: socketInContainer, BindOptions: {} };
  body.HostConfig.Mounts = [...(body.HostConfig.Mounts ?? []), mount];
  const auths = await storedCredentials(context);
  const configured = body.Env?.some((entry) => entry.startsWith("DOCKER_CONFIG=")) === true;
  if (configured || Object.keys(auths).length === 0) return async () => {};
  body.Env = [...(body.Env ?? []), `DOCKER_CONFIG=${configFolder}`];
  const stream = new Blob([tarOf(`${configFolder}/config.json`, JSON.stringify({ auths }, null, "\t"))]);
  return (id) =>
    context.client.send("PUT", `/containers/${id}/archive`, {
      query: { path: "/", noOverwriteDirNonDir: "true" },
      headers: { "Content-Type": "application/x-tar" },
      stream,
    });
}

interface AuthEntry {
  auth?: string;
  identitytoken?: string;
}

async function storedCredentials(context: CliContext): Promise<Record<string, AuthEntry>> {
  const { auths = {}, credHelpers = {} } = context.config.values;
  const found: Record<string, AuthEntry> = {};
  for (const address of new Set([...Object.keys(auths), ...Object.keys(credHelpers)])) {
    const registry = address === "https://index.docker.io/v1/" ? "docker.io" : address;
    const { username, password, identitytoken } = await credentialsFor(context, registry);
    if (username === undefined && identitytoken === undefined) continue;
    const auth = Buffer.from(`${username ?? ""}:${password ?? ""}`).toString("base64");
    found[address] = identitytoken === undefined ? { auth } : { auth, identitytoken };
  }
  return found;
}

function tarOf(name: string, text: string): Buffer {
  const content = Buffer.from(text);
  const numbers = { mode: 0o600, uid: 0, gid: 0, mtime: 0, deviceMajor: 0, deviceMinor: 0 };
  const header = encodeHeader({ name, type: "file", linkName: "", size: content.length, ...numbers });
  return Buffer.concat([header, content, Buffer.alloc(paddingOf(content.length) + 1024)]);
}
