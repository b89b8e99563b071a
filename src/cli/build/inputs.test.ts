import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ContentStores } from "./content-stores.ts";
import { buildInputs, parseAgents, parseSecrets } from "./inputs.ts";
import { parseOutputs } from "./outputs.ts";

const root = mkdtempSync(join(tmpdir(), "gantry-inputs-"));
afterAll(() => rmSync(root, { recursive: true }));
writeFileSync(join(root, "Dockerfile"), "FROM scratch");
writeFileSync(join(root, "secret"), "hidden");

const text = (...chunks: string[]) =>
  async function* () {
    for (const chunk of chunks) yield Buffer.from(chunk);
  };
const inputs = (source: string, file = "", stdin = text("FROM scratch\n"), contexts: string[] = []) =>
  buildInputs(source, { file, contexts, stores: new ContentStores(), stdin });

test("a directory, an address, standard input", async () => {
  const local = await inputs(root);
  expect([...local.directories]).toEqual([
    ["context", root],
    ["dockerfile", root],
  ]);
  expect(local.options).toEqual({ filename: "Dockerfile" });
  const remote = await inputs("https://example.org/x.git#main", "sub/Dockerfile");
  expect(remote.options).toEqual({ context: "https://example.org/x.git#main", filename: "sub/Dockerfile" });
  const piped = await inputs("-");
  expect(Buffer.from(piped.dockerfileText ?? "").toString()).toBe("FROM scratch\n");
  expect(piped.directories.size).toBe(0);
  const gzip = await inputs("-", "x/Dockerfile", async function* () {
    yield Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0]);
  });
  expect(gzip.options["context"]).toBe(`http://buildkit-session/${gzip.upload?.id}`);
  expect(gzip.options["filename"]).toBe("x/Dockerfile");
  const outside = await inputs(root, "-");
  expect(outside.directories.has("dockerfile")).toBe(false);
  expect(outside.dockerfileText).toBeDefined();
});

test("what is missing is said", async () => {
  await expect(inputs("-", "-")).rejects.toThrow("can't use stdin for both build context and dockerfile");
  await expect(inputs(join(root, "none"))).rejects.toThrow("unable to prepare context: path");
  await expect(inputs(root, join(root, "none"))).rejects.toThrow("no such file or directory");
  await expect(inputs(root, "", text(), ["base"])).rejects.toThrow("invalid context value: base, expected key=value");
  await expect(inputs(root, "", text(), [`n=${root}/none`])).rejects.toThrow("failed to get build context path");
  await expect(inputs("-", "", text())).rejects.toThrow("failed to peek context header from STDIN: EOF");
});

test("named contexts", async () => {
  const { options, directories } = await inputs(root, "", text(), ["i=docker-image://busybox", `d=${root}`]);
  expect(options["context:i"]).toBe("docker-image://busybox");
  expect(options["context:d"]).toBe("local:d");
  expect(directories.get("d")).toBe(root);
});

test("secrets: a file, a variable, or what the name says", () => {
  const read = (flag: string, env: Record<string, string> = {}) =>
    [...parseSecrets([flag], env)].map(([id, value]) => [id, Buffer.from(value()).toString()]);
  expect(read(`id=s,src=${root}/secret`)).toEqual([["s", "hidden"]]);
  expect(read("id=s,env=X", { X: "x" })).toEqual([["s", "x"]]);
  expect(read("id=X", { X: "x" })).toEqual([["X", "x"]]);
  expect(read("type=env,id=X", { X: "x" })).toEqual([["X", "x"]]);
  expect(() => read(`id=s,src=${root}/none`)).toThrow("failed to stat");
  expect(() => read("src=x")).toThrow("secret missing id");
  expect(() => read("id=s,colour=red")).toThrow("unexpected key 'colour'");
  expect(() => read("id")).toThrow("must be a key=value pair");
});

test("agents are sockets", async () => {
  const socket = join(root, "agent");
  const server = createServer().listen(socket);
  await new Promise((resolve) => server.once("listening", resolve));
  expect([...parseAgents(["default", `other=${socket}`], { SSH_AUTH_SOCK: socket })]).toEqual([
    ["default", socket],
    ["other", socket],
  ]);
  expect(() => parseAgents(["default"], {})).toThrow("make sure SSH_AUTH_SOCK is set");
  expect(() => parseAgents([`k=${root}/secret`], {})).toThrow("no socket of an SSH agent");
  server.close();
});

const outputs = (given: string[], more: { tags?: string[]; push?: boolean; load?: boolean; terminal?: boolean } = {}) =>
  parseOutputs({
    outputs: given,
    tags: more.tags ?? [],
    push: more.push ?? false,
    load: more.load ?? false,
    stores: new ContentStores(),
    stdout: { isTerminal: more.terminal ?? false, write: () => undefined },
  }).map(({ exporter, target }) => ({ ...exporter, target: target && Object.keys(target)[0] }));

test("outputs", () => {
  expect(outputs([], { tags: ["a", "b"] })).toEqual([{ Type: "moby", Attrs: { name: "a,b" }, target: undefined }]);
  expect(outputs(["dir"])).toEqual([{ Type: "local", Attrs: {}, target: "directory" }]);
  expect(outputs(["-"])).toEqual([{ Type: "tar", Attrs: {}, target: "open" }]);
  expect(outputs(["type=image,name=x,rewrite-timestamp=true"])).toEqual([
    { Type: "moby", Attrs: { name: "x", "rewrite-timestamp": "true" }, target: undefined },
  ]);
  expect(outputs(["type=docker"], { tags: ["x"] })[0]?.Type).toBe("moby");
  expect(outputs([], { tags: ["x"], push: true })).toEqual([
    { Type: "image", Attrs: { push: "true", name: "x" }, target: undefined },
  ]);
  expect(outputs(["dir"], { load: true }).map(({ Type }) => Type)).toEqual(["local", "moby"]);
  expect(() => outputs([], { push: true })).toThrow("tag is needed when pushing to registry");
  expect(() => outputs([], { push: true, load: true })).toThrow("push and load may not be set together");
  expect(() => outputs(["-"], { terminal: true })).toThrow("refusing to write to console");
  expect(() => outputs(["dest=x"])).toThrow("type is required for output");
  expect(() => outputs(["type=local"])).toThrow("dest is required for local output");
});
