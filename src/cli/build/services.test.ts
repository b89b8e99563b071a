/** The services of a client as the daemon calls them, over a real connection. */
import { afterAll, afterEach, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sendFiles } from "../../buildkit-api/files/send-files.ts";
import { readBytes, writeBytes } from "../../buildkit-api/grpc/bytes.ts";
import { GrpcClient, type Metadata } from "../../buildkit-api/grpc/client.ts";
import { serveGrpc } from "../../buildkit-api/grpc/server.ts";
import {
  checkAgentRequest,
  contentInfoRequest,
  contentInfoResponse,
  credentialsRequest,
  credentialsResponse,
  nothing,
  packet,
  packetTypes,
  readContentRequest,
  readContentResponse,
  secretRequest,
  secretResponse,
  writeContentRequest,
} from "../../buildkit-api/protocol/messages.ts";
import { digestOf } from "../../oci/digest.ts";
import type { CliContext } from "../context.ts";
import type { BuildOutput } from "./outputs.ts";
import { clientMethods, type Served } from "./services.ts";

const root = mkdtempSync(join(tmpdir(), "gantry-services-"));
const open: (() => void)[] = [];
afterAll(() => rmSync(root, { recursive: true }));
afterEach(() => {
  for (const close of open.splice(0).reverse()) close();
  rmSync(root, { recursive: true });
  mkdirSync(root);
});

async function daemonOf(served: Partial<Served>, auths: Record<string, { auth: string }> = {}): Promise<GrpcClient> {
  const context = { config: { values: { auths } } } as unknown as CliContext;
  const inputs = {
    directories: new Map([["context", root]]),
    dockerfileText: undefined,
    upload: undefined,
    options: {},
  };
  const empty = { outputs: [], secrets: new Map(), agents: new Map(), stores: new Map() };
  const methods = clientMethods(context, { inputs, ...empty, ...served });
  const server = createServer((socket) => void serveGrpc(socket, methods));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const socket = connect((server.address() as { port: number }).port, "127.0.0.1");
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  const client = new GrpcClient(socket);
  open.push(
    () => server.close(),
    () => client.close(),
  );
  return client;
}

/** What a directory's list says, and the files asked for. */
async function fetch(client: GrpcClient, metadata: Metadata): Promise<Record<string, string>> {
  const call = client.open("/moby.filesync.v1.FileSync/DiffCopy", metadata);
  const names: string[] = [];
  const found: Record<string, string> = {};
  let files = 0;
  for await (const message of call.messages) {
    const { type, stat, ID = 0, data } = packet.decode(message);
    if (type === packetTypes.stat && stat) {
      const name = Buffer.from(stat.path).toString();
      names.push(name);
      found[name] = stat.mode >= 2 ** 31 ? "directory" : Buffer.from(stat.linkname).toString();
      expect([stat.uid, stat.gid]).toEqual([0, 0]);
      if (stat.mode < 0o1000) {
        files++;
        await call.messages.write(packet.encode({ type: packetTypes.request, ID: names.length - 1 }));
      }
    } else if (type === packetTypes.data) {
      if (data?.length) found[names[ID] as string] += Buffer.from(data).toString();
      else files--;
    } else if (type === packetTypes.end) break;
    if (files === 0 && type !== packetTypes.stat) await call.messages.write(packet.encode({ type: packetTypes.end }));
  }
  call.cancel();
  return found;
}

test("a directory without what is ignored, and only what is asked for", async () => {
  mkdirSync(join(root, "a,b/c"), { recursive: true });
  writeFileSync(join(root, "a,b/c/file"), "text");
  writeFileSync(join(root, "a,b/other"), "other");
  writeFileSync(join(root, "z"), "z");
  symlinkSync("z", join(root, "link"));
  const client = await daemonOf({});
  expect(await fetch(client, { "dir-name": "context", "exclude-patterns": ["a,b/other", "z"] })).toEqual({
    "a,b": "directory",
    "a,b/c": "directory",
    "a,b/c/file": "text",
    link: "z",
  });
  const encoded = { followpaths: ["a%2Cb/c/file", "link"], "followpaths-encoded": "1" };
  expect(await fetch(client, { "dir-name": "context", ...encoded })).toEqual({
    "a,b": "directory",
    "a,b/c": "directory",
    "a,b/c/file": "text",
    link: "z",
    z: "z",
  });
  await expect(fetch(client, { "dir-name": "elsewhere" })).rejects.toThrow("no access allowed to dir");
});

test("a Dockerfile from standard input", async () => {
  const inputs = { directories: new Map(), dockerfileText: Buffer.from("FROM x"), upload: undefined, options: {} };
  const client = await daemonOf({ inputs });
  expect(await fetch(client, { "dir-name": "dockerfile" })).toEqual({ Dockerfile: "FROM x" });
});

test("logins and secrets", async () => {
  const auth = Buffer.from("me:pass").toString("base64");
  const client = await daemonOf({ secrets: new Map([["s", () => Buffer.from("hidden")]]) }, { "r:5000": { auth } });
  const login = async (Host: string) =>
    credentialsResponse.decode(
      await client.unary("/moby.filesync.v1.Auth/Credentials", credentialsRequest.encode({ Host })),
    );
  expect(await login("r:5000")).toEqual({ Username: "me", Secret: "pass" });
  expect(await login("other")).toEqual({ Username: "", Secret: "" });
  const secret = (ID: string) =>
    client.unary("/moby.buildkit.secrets.v1.Secrets/GetSecret", secretRequest.encode({ ID }));
  expect(Buffer.from(secretResponse.decode(await secret("s")).data).toString()).toBe("hidden");
  await expect(secret("t")).rejects.toThrow("secret t: not found");
});

test("an SSH agent's dialogue, to its end", async () => {
  const path = join(root, "agent");
  const agent = createServer((socket) => socket.on("data", (data) => socket.write(data.toString().toUpperCase())));
  agent.listen(path);
  open.push(() => agent.close());
  const client = await daemonOf({ agents: new Map([["default", path]]) });
  const check = (ID: string) => client.unary("/moby.sshforward.v1.SSH/CheckAgent", checkAgentRequest.encode({ ID }));
  await check("");
  await expect(check("other")).rejects.toThrow("unset ssh forward key other");
  const call = client.open("/moby.sshforward.v1.SSH/ForwardAgent", { "buildkit.ssh.id": "default" });
  const answers = readBytes(call.messages);
  for (const text of ["list", "sign"]) {
    await writeBytes(call.messages, Buffer.from(text));
    expect(Buffer.from((await answers.next()).value ?? []).toString()).toBe(text.toUpperCase());
  }
  call.end();
  expect((await answers.next()).done).toBe(true);
});

test("results: a directory that keeps what is there, and nothing outside of it", async () => {
  const from = mkdtempSync(join(tmpdir(), "gantry-services-from-"));
  open.push(() => rmSync(from, { recursive: true }));
  mkdirSync(join(from, "d"));
  writeFileSync(join(from, "d/new"), "new");
  writeFileSync(join(from, "same"), "from the build");
  const into = join(root, "into");
  mkdirSync(into);
  writeFileSync(join(into, "kept"), "kept");
  writeFileSync(join(into, "same"), "old");
  const output: BuildOutput = { exporter: { Type: "local", Attrs: {} }, target: { directory: into } };
  const client = await daemonOf({ outputs: [output] });
  const send = async () => {
    const call = client.open("/moby.filesync.v1.FileSend/DiffCopy", { "buildkit-attachable-exporter-id": "0" });
    await sendFiles(call.messages, from);
    call.end();
    for await (const _ of call.messages);
  };
  await send();
  await send();
  const read = (name: string) => readFileSync(join(into, name), "utf8");
  expect([read("d/new"), read("same"), read("kept")]).toEqual(["new", "from the build", "kept"]);

  const rest = { uid: 0, gid: 0, size: 1, modTime: 0, devmajor: 0, devminor: 0, xattrs: {}, linkname: Buffer.from("") };
  for (const path of ["../escaped", "/escaped", "missing/x", "kept/../../escaped"]) {
    const call = client.open("/moby.filesync.v1.FileSend/DiffCopy", { "buildkit-attachable-exporter-id": "0" });
    const stat = { ...rest, path: Buffer.from(path), mode: 0o644 };
    await call.messages.write(packet.encode({ type: packetTypes.stat, stat }));
    await expect(call.messages.one()).rejects.toThrow("invalid path");
  }
  expect(existsSync(join(root, "escaped"))).toBe(false);
});

test("content by digest: written, read in parts, and nothing but digests leads into the directory", async () => {
  const layout = join(root, "layout");
  const client = await daemonOf({ stores: new Map([["local:x", layout]]) });
  const service = "/containerd.services.content.v1.Content/";
  const metadata = { "buildkit-attachable-store-id": "local:x" };
  const bytes = Buffer.from("content");
  const digest = digestOf(bytes);
  const unary = (method: string, request: Uint8Array) => client.unary(service + method, request, undefined, metadata);
  await expect(unary("Info", contentInfoRequest.encode({ digest }))).rejects.toThrow("not found");
  const commit = async (content: Buffer, expected = digestOf(content)) => {
    const call = client.open(`${service}Write`, metadata);
    const answers = call.messages[Symbol.asyncIterator]();
    for (const [action, offset, data] of [
      [0, 0, nothing],
      [1, 0, content.subarray(0, 3)],
      [1, 3, content.subarray(3)],
      [2, content.length, nothing],
    ] as const) {
      const request = { action, ref: "r", total: content.length, expected, offset, data };
      await call.messages.write(writeContentRequest.encode(request));
      await answers.next();
    }
    return answers;
  };
  const put = async (expected: string) => {
    const answers = await commit(bytes, expected);
    expect((await answers.next()).done).toBe(true);
  };
  await put(digest);
  expect(readFileSync(join(layout, "blobs/sha256", digest.slice("sha256:".length)), "utf8")).toBe("content");
  expect(existsSync(join(layout, "ingest"))).toBe(false);
  expect(contentInfoResponse.decode(await unary("Info", contentInfoRequest.encode({ digest }))).info.size).toBe(7);
  // The next one begins as soon as the last is there, as the daemon's does, whether or not its call has ended.
  for (let at = 0; at < 200; at++) await commit(Buffer.from(`blob ${at}`));
  expect(readdirSync(layout)).toEqual(["blobs"]);
  const part = await unary("Read", readContentRequest.encode({ digest, offset: 3, size: 2 }));
  expect(Buffer.from(readContentResponse.decode(part).data).toString()).toBe("te");
  await expect(put(`sha256:${"0".repeat(64)}`)).rejects.toThrow("unexpected commit digest");
  const outside = readContentRequest.encode({ digest: "sha256:../../../x", offset: 0, size: 0 });
  await expect(unary("Read", outside)).rejects.toThrow("invalid digest");
  await expect(client.unary(`${service}Read`, outside, undefined, {})).rejects.toThrow("unknown store");
});
