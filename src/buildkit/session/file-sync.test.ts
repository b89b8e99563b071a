import { afterAll, afterEach, expect, test } from "bun:test";
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Method, serveGrpc } from "../../buildkit-api/grpc/server.ts";
import { packet, packetTypes } from "../../buildkit-api/protocol/messages.ts";
import { Progress } from "../progress.ts";
import { syncFiles, syncStore } from "./file-sync.ts";
import { Session } from "./session.ts";

const method = "/moby.filesync.v1.FileSync/DiffCopy";
const directoryBit = 1 << 31;
const linkBit = 1 << 27;

interface SentFile {
  path: string;
  mode?: number;
  link?: string;
  text?: string;
  time?: number;
}

const work = mkdtempSync(join(tmpdir(), "gantry-file-sync-"));
const open: Disposable[] = [];
afterAll(() => rmSync(work, { recursive: true }));
afterEach(() => {
  for (const item of open.splice(0)) item[Symbol.dispose]();
  for (const name of readdirSync(work)) rmSync(join(work, name), { recursive: true });
});

/** A client that has these files; `asked`: the paths whose contents it sent. */
async function clientWith(files: () => SentFile[], asked: string[] = []): Promise<Session> {
  const serve: Method = async ({ messages }) => {
    const list = files();
    for (const { path, mode = 0o644, link = "", text = "", time = 1e18 } of list) {
      const stat = { path: Buffer.from(path), mode: mode >>> 0, linkname: Buffer.from(link), size: text.length };
      const rest = { uid: 0, gid: 0, modTime: time, devmajor: 0, devminor: 0, xattrs: {} };
      await messages.write(packet.encode({ type: packetTypes.stat, stat: { ...stat, ...rest } }));
    }
    await messages.write(packet.encode({ type: packetTypes.stat }));
    for await (const message of messages) {
      const { type, ID = 0 } = packet.decode(message);
      if (type === packetTypes.end) return void (await messages.write(packet.encode({ type: packetTypes.end })));
      const file = list[ID] as SentFile;
      asked.push(file.path);
      await messages.write(packet.encode({ type: packetTypes.data, ID, data: Buffer.from(file.text ?? "") }));
      if (file.text) await messages.write(packet.encode({ type: packetTypes.data, ID }));
    }
  };
  const server = createServer((socket) => void serveGrpc(socket, new Map([[method, serve]])));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const socket = connect((server.address() as { port: number }).port, "127.0.0.1");
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  const session = new Session(new Map([["x-docker-expose-session-grpc-method", method]]), socket);
  open.push({ [Symbol.dispose]: () => session.client.close() }, { [Symbol.dispose]: () => void server.close() });
  return session;
}

async function sync(session: Session): Promise<string> {
  const store = syncStore(work);
  const progress = new Progress().vertex("test").status("transferring");
  const signal = new AbortController().signal;
  await syncFiles(session, { name: "context", store, exclude: [], follow: [], progress, signal });
  return store.directory;
}

test("everything the first time, then only what is new, changed or gone", async () => {
  let files: SentFile[] = [
    { path: "a", text: "one", mode: 0o4755 | (1 << 23) },
    { path: "d", mode: directoryBit | 0o700 },
    { path: "d/empty" },
    { path: "d/link", mode: linkBit | 0o777, link: "/etc/passwd" },
    { path: "hard", link: "a", text: "" },
    { path: "same", text: "same" },
  ];
  const asked: string[] = [];
  const session = await clientWith(() => files, asked);
  const directory = await sync(session);
  expect(readFileSync(join(directory, "a"), "utf8")).toBe("one");
  expect(lstatSync(join(directory, "a")).mode & 0o7777).toBe(0o4755);
  expect(lstatSync(join(directory, "hard")).ino).toBe(lstatSync(join(directory, "a")).ino);
  expect(readlinkSync(join(directory, "d/link"))).toBe("/etc/passwd");
  expect(lstatSync(join(directory, "d")).mtimeMs).toBe(1e12);
  expect(asked.sort()).toEqual(["a", "d/empty", "same"]);
  asked.length = 0;
  await sync(session);
  expect(asked).toEqual([]);
  files = [
    { path: "a", text: "two", time: 2e18 },
    { path: "d", text: "now a file" },
    { path: "hard", link: "a" },
    { path: "same", text: "same" },
  ];
  await sync(session);
  expect(asked.sort()).toEqual(["a", "d"]);
  expect(readdirSync(directory).sort()).toEqual(["a", "d", "hard", "same"]);
  expect(readFileSync(join(directory, "hard"), "utf8")).toBe("two");
});

test("without a true list everything comes again: an earlier transfer was cut", async () => {
  const asked: string[] = [];
  const session = await clientWith(() => [{ path: "a", text: "x" }], asked);
  await sync(session);
  rmSync(syncStore(work).index);
  await sync(session);
  expect(asked).toEqual(["a", "a"]);
});

test("a directory that becomes a link takes its files along, and nothing behind the link", async () => {
  const outside = mkdtempSync(join(tmpdir(), "gantry-file-sync-outside-"));
  open.push({ [Symbol.dispose]: () => rmSync(outside, { recursive: true }) });
  await Bun.write(join(outside, "kept"), "x");
  let files: SentFile[] = [
    { path: "d", mode: directoryBit | 0o755 },
    { path: "d/kept", text: "y" },
  ];
  const session = await clientWith(() => files);
  await sync(session);
  files = [{ path: "d", mode: linkBit | 0o777, link: outside }];
  await sync(session);
  expect(existsSync(join(outside, "kept"))).toBe(true);
});

test("paths that lead out are refused, and nothing is written there", async () => {
  const target = join(tmpdir(), `file-sync-escape-${process.pid}`);
  const hostile: SentFile[][] = [
    [{ path: target, text: "x" }],
    [{ path: `../${target.split("/").at(-1)}`, text: "x" }],
    [{ path: "a/../../x", text: "x" }],
    [
      { path: "link", mode: linkBit, link: tmpdir() },
      { path: `link/${target.split("/").at(-1)}`, text: "x" },
    ],
    [{ path: "missing/x", text: "x" }],
    [{ path: "", mode: directoryBit }],
    [{ path: "hard", link: "../../../../etc/passwd" }],
  ];
  for (const files of hostile) {
    await expect(sync(await clientWith(() => files))).rejects.toThrow(/invalid path|ENOENT/);
  }
  expect(existsSync(target)).toBe(false);
});
