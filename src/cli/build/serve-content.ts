/** Directories of content by digest, served to the daemon. Source: containerd api/services/content/v1; moby/buildkit session/content. */
import { createReadStream, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Call, Method } from "../../buildkit-api/grpc/server.ts";
import { codes, GrpcError } from "../../buildkit-api/grpc/status.ts";
import {
  contentInfoRequest,
  contentInfoResponse,
  contentMethods,
  contentStoreHeader,
  readContentRequest,
  readContentResponse,
  writeActions,
  writeContentRequest,
  writeContentResponse,
} from "../../buildkit-api/protocol/messages.ts";
import { Digester } from "../../oci/digest.ts";

export function serveContent(stores: ReadonlyMap<string, string>): [string, Method][] {
  return [
    [contentMethods.info, (call) => info(call, storeOf(call, stores))],
    [contentMethods.read, (call) => read(call, storeOf(call, stores))],
    [contentMethods.write, (call) => write(call, storeOf(call, stores))],
  ];
}

function storeOf({ headers }: Call, stores: ReadonlyMap<string, string>): string {
  const name = headers.get(contentStoreHeader) ?? "";
  const directory = stores.get(name);
  if (directory === undefined) throw new GrpcError(codes.notFound, `unknown store ${name}`);
  return directory;
}

/** Digests come from the daemon: nothing but one leads anywhere. */
function pathOf(directory: string, digest: string): string {
  const [, hex] = /^sha256:([a-f0-9]{64})$/.exec(digest) ?? [];
  if (hex === undefined) throw new GrpcError(codes.invalidArgument, `invalid digest ${digest}`);
  return join(directory, "blobs/sha256", hex);
}

function sizeOf(directory: string, digest: string): number {
  const stats = statSync(pathOf(directory, digest), { throwIfNoEntry: false });
  if (!stats) throw new GrpcError(codes.notFound, `content ${digest}: not found`);
  return stats.size;
}

async function info({ messages }: Call, directory: string): Promise<void> {
  const { digest } = contentInfoRequest.decode(await messages.one());
  await messages.write(contentInfoResponse.encode({ info: { digest, size: sizeOf(directory, digest) } }));
}

async function read({ messages }: Call, directory: string): Promise<void> {
  const { digest, offset: from, size } = readContentRequest.decode(await messages.one());
  sizeOf(directory, digest);
  const range = { start: from, ...(size > 0 ? { end: from + size - 1 } : {}), highWaterMark: 1 << 20 };
  let offset = from;
  for await (const chunk of createReadStream(pathOf(directory, digest), range)) {
    const data = chunk as Buffer;
    await messages.write(readContentResponse.encode({ offset, data }));
    offset += data.length;
  }
}

/** A blob gets its name when all of it is there, and is what the name says. */
async function write({ messages }: Call, directory: string): Promise<void> {
  mkdirSync(join(directory, "blobs/sha256"), { recursive: true });
  const path = join(directory, `ingest-${crypto.randomUUID()}`);
  const file = await open(path, "wx");
  const digester = new Digester("sha256");
  let offset = 0;
  try {
    for await (const message of messages) {
      const { action, expected, data, total } = writeContentRequest.decode(message);
      await file.appendFile(data);
      digester.update(data);
      offset += data.length;
      if (action === writeActions.commit) {
        if (digester.digest() !== expected)
          throw new GrpcError(codes.failedPrecondition, `unexpected commit digest: it is not ${expected}`);
        renameSync(path, pathOf(directory, expected));
      }
      await messages.write(writeContentResponse.encode({ action, offset, total, digest: expected }));
      if (action === writeActions.commit) return;
    }
  } finally {
    await file.close();
    rmSync(path, { force: true });
  }
}
