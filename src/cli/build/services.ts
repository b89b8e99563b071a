/**
 * What the daemon may ask of this process while it builds: files, logins, secrets, SSH agents, an archive, and that it takes the result.
 * Source: moby/buildkit session/filesync, session/auth, session/secrets, session/sshforward, session/upload.
 */
import { connect } from "node:net";
import type { Writable } from "node:stream";
import { sendFiles } from "../../buildkit-api/files/send-files.ts";
import { readBytes, writeBytes } from "../../buildkit-api/grpc/bytes.ts";
import type { Call, Method, Methods } from "../../buildkit-api/grpc/server.ts";
import { codes, GrpcError } from "../../buildkit-api/grpc/status.ts";
import {
  checkAgentRequest,
  credentialsRequest,
  credentialsResponse,
  nothing,
  packet,
  packetTypes,
  type Stat,
  secretRequest,
  secretResponse,
} from "../../buildkit-api/protocol/messages.ts";
import type { CliContext } from "../context.ts";
import { credentialsFor } from "../image/registry-auth.ts";
import { chooser } from "./chooser.ts";
import type { BuildInputs } from "./inputs.ts";
import type { BuildOutput } from "./outputs.ts";
import { receiveDirectory } from "./receive-directory.ts";
import { serveContent } from "./serve-content.ts";

export interface Served {
  inputs: BuildInputs;
  outputs: readonly BuildOutput[];
  secrets: ReadonlyMap<string, () => Uint8Array>;
  /** Name → socket. */
  agents: ReadonlyMap<string, string>;
  /** OCI layouts, by the names that the daemon knows. */
  stores: ReadonlyMap<string, string>;
}

export function clientMethods(context: CliContext, served: Served): Methods {
  const { inputs, outputs, secrets, agents, stores } = served;
  const methods = new Map<string, Method>([
    ["/moby.filesync.v1.FileSync/DiffCopy", (call) => sendDirectory(call, inputs)],
    ["/moby.filesync.v1.Auth/Credentials", (call) => tellLogin(call, context)],
    ["/moby.buildkit.secrets.v1.Secrets/GetSecret", (call) => tellSecret(call, secrets)],
  ]);
  if (inputs.upload) {
    const { body } = inputs.upload;
    methods.set("/moby.upload.v1.Upload/Pull", async ({ messages }) => {
      for await (const chunk of body) await writeBytes(messages, chunk);
    });
  }
  if (agents.size > 0) {
    methods.set("/moby.sshforward.v1.SSH/CheckAgent", (call) => checkAgent(call, agents));
    methods.set("/moby.sshforward.v1.SSH/ForwardAgent", (call) => forwardAgent(call, agents));
  }
  if (stores.size > 0) for (const [path, method] of serveContent(stores)) methods.set(path, method);
  if (outputs.some(({ target }) => target)) {
    methods.set("/moby.filesync.v1.FileSend/DiffCopy", (call) => takeResult(call, outputs));
  }
  return methods;
}

async function sendDirectory({ messages, headers }: Call, inputs: BuildInputs): Promise<void> {
  const name = headers.get("dir-name") ?? "";
  if (name === "dockerfile" && inputs.dockerfileText) return sendText(messages, "Dockerfile", inputs.dockerfileText);
  const root = inputs.directories.get(name);
  // Of a context from elsewhere there is none here, nor an ignore file.
  if (root === undefined && name !== "context")
    throw new GrpcError(codes.notFound, `no access allowed to dir "${name}"`);
  const choose =
    root === undefined ? undefined : chooser(root, listed(headers, "exclude-patterns"), listed(headers, "followpaths"));
  // Files of a build belong to root, whoever builds.
  const change = (stat: Stat) => ({ ...stat, uid: 0, gid: 0 });
  await sendFiles(messages, root, { change, ...(choose && { choose }) });
}

/** Values that are not ASCII come percent-encoded, and it is said that they do. */
function listed(headers: Call["headers"], name: string): string[] {
  const values = headers.all(name);
  return headers.get(`${name}-encoded`) === "1" ? values.map(decodeURIComponent) : values;
}

/** A directory with one file. */
async function sendText(messages: Call["messages"], name: string, text: Uint8Array): Promise<void> {
  const rest = { uid: 0, gid: 0, modTime: 0, linkname: nothing, devmajor: 0, devminor: 0, xattrs: {} };
  const stat = { path: Buffer.from(name), mode: 0o644, size: text.length, ...rest };
  await messages.write(packet.encode({ type: packetTypes.stat, stat }));
  await messages.write(packet.encode({ type: packetTypes.stat }));
  for await (const message of messages) {
    const { type, ID = 0 } = packet.decode(message);
    if (type === packetTypes.end) return messages.write(packet.encode({ type: packetTypes.end }));
    if (type !== packetTypes.request) continue;
    if (text.length > 0) await messages.write(packet.encode({ type: packetTypes.data, ID, data: text }));
    await messages.write(packet.encode({ type: packetTypes.data, ID }));
  }
}

async function tellLogin({ messages }: Call, context: CliContext): Promise<void> {
  const { Host } = credentialsRequest.decode(await messages.one());
  const { username, password, identitytoken } = await credentialsFor(
    context,
    Host === "registry-1.docker.io" ? "docker.io" : Host,
  );
  const Secret = identitytoken ?? password ?? "";
  await messages.write(credentialsResponse.encode({ Username: identitytoken ? "" : (username ?? ""), Secret }));
}

async function tellSecret({ messages }: Call, secrets: Served["secrets"]): Promise<void> {
  const { ID } = secretRequest.decode(await messages.one());
  const read = secrets.get(ID);
  if (!read) throw new GrpcError(codes.notFound, `secret ${ID}: not found`);
  await messages.write(secretResponse.encode({ data: read() }));
}

async function checkAgent({ messages }: Call, agents: Served["agents"]): Promise<void> {
  agentSocket(checkAgentRequest.decode(await messages.one()).ID, agents);
  await messages.write(nothing);
}

async function forwardAgent({ messages, headers, signal }: Call, agents: Served["agents"]): Promise<void> {
  const socket = connect(agentSocket(headers.get("buildkit.ssh.id") ?? "", agents));
  const close = () => socket.destroy();
  signal.addEventListener("abort", close, { once: true });
  try {
    const sending = (async () => {
      for await (const bytes of readBytes(messages)) socket.write(bytes);
      socket.end();
    })();
    sending.catch(close);
    for await (const chunk of socket) await writeBytes(messages, chunk as Buffer);
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

function agentSocket(id: string, agents: Served["agents"]): string {
  const socket = agents.get(id || "default");
  if (socket === undefined) throw new GrpcError(codes.notFound, `unset ssh forward key ${id || "default"}`);
  return socket;
}

async function takeResult({ messages, headers }: Call, outputs: readonly BuildOutput[]): Promise<void> {
  const target = outputs[Number(headers.get("buildkit-attachable-exporter-id") ?? 0)]?.target;
  if (!target) throw new GrpcError(codes.notFound, "this output takes no files");
  if ("directory" in target) await receiveDirectory(messages, target.directory);
  else await write(messages, target.open());
}

async function write(messages: Call["messages"], file: Writable): Promise<void> {
  const failed = new Promise<never>((_, reject) => file.once("error", reject));
  failed.catch(() => undefined);
  for await (const bytes of readBytes(messages)) {
    if (!file.write(bytes)) await Promise.race([failed, new Promise<void>((resolve) => file.once("drain", resolve))]);
  }
  await Promise.race([failed, new Promise<void>((resolve) => file.end(resolve))]);
}
