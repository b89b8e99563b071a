/** The reader and writer against GNU tar, and against archives made by hand. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ByteSink } from "../byte-sink.ts";
import { ByteSource } from "../byte-source.ts";
import { encodePax } from "./pax.ts";
import { blockSize, paddingOf, type TarEntry } from "./tar-entry.ts";
import { parseHeader, readNumber, writeHeader } from "./tar-header.ts";
import { TarReader } from "./tar-reader.ts";
import { TarWriter } from "./tar-writer.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "gantry-tar-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

function run(argv: string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(argv);
  if (exitCode !== 0) throw new Error(`${argv.join(" ")}: ${stderr}`);
  return stdout.toString();
}

/** Every entry with its content, and the raw bytes that belong to no content. */
function read(archive: Uint8Array): { entry: TarEntry; content: string }[] {
  const path = join(directory, "read.tar");
  writeFileSync(path, archive);
  const descriptor = openSync(path, "r");
  try {
    const found: { entry: TarEntry; content: string }[] = [];
    let raw = 0;
    let contents = 0;
    const reader = new TarReader(new ByteSource(descriptor, { bufferSize: 2048 }), (bytes) => {
      raw += bytes.length;
    });
    for (let entry = reader.next(); entry; entry = reader.next()) {
      let content = "";
      reader.content((chunk) => {
        content += chunk.toString("latin1");
        contents += chunk.length;
      });
      found.push({ entry, content });
    }
    reader.drain();
    expect(raw + contents).toBe(archive.length);
    return found;
  } finally {
    closeSync(descriptor);
  }
}

const base = {
  name: "file",
  linkName: "",
  flag: "0",
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0,
  deviceMajor: 0,
  deviceMinor: 0,
};

function block(fields: Partial<typeof base>, change: (block: Buffer) => void = () => {}): Buffer {
  const out = Buffer.alloc(blockSize);
  writeHeader(out, 0, { ...base, ...fields });
  change(out);
  out.write("        ", 148, "latin1");
  const sum = out.reduce((total, byte) => total + byte, 0);
  out.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return out;
}

function padded(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content as string, "latin1");
  return Buffer.concat([bytes, Buffer.alloc(paddingOf(bytes.length))]);
}

const pax = (records: [string, string][]) => {
  const content = encodePax(records);
  return [block({ flag: "x", size: content.length }), padded(content)];
};

const end = Buffer.alloc(1024);

for (const format of ["v7", "ustar", "gnu", "oldgnu", "pax"]) {
  test(`what GNU tar writes as ${format} is read`, () => {
    const tree = join(directory, format);
    const long = format === "v7" ? "short" : `${"d".repeat(80)}/${"f".repeat(60)}`;
    mkdirSync(join(tree, "d".repeat(80)), { recursive: true });
    writeFileSync(join(tree, long), "content");
    run(["ln", "-s", "target of link", join(tree, "link")]);
    writeFileSync(join(tree, "hard"), "linked");
    run(["ln", join(tree, "hard"), join(tree, "z-hard")]);
    const archive = join(directory, `${format}.tar`);
    const options = ["--sort=name", "--mtime=@1700000000.5", "--owner=1234", "--group=5678"];
    run(["tar", "-C", tree, `--format=${format}`, ...options, "-cf", archive, "."]);
    const found = read(readFileSync(archive));
    const file = found.find(({ content }) => content === "content")?.entry;
    expect(file).toMatchObject({ name: `./${long}`, type: "file", size: 7, mtime: 1700000000, uid: 1234, gid: 5678 });
    expect(file?.mtimeNanos).toBe(format === "pax" ? 500_000_000 : 0);
    expect(found.find(({ entry }) => entry.type === "symlink")?.entry.linkName).toBe("target of link");
    expect(found.find(({ entry }) => entry.type === "hardlink")?.entry.linkName).toBe("./hard");
    expect(found[0]?.entry).toMatchObject({ type: "directory", name: "./" });
  });
}

for (const [format, version] of [
  ["gnu", ""],
  ["pax", "0.0"],
  ["pax", "0.1"],
  ["pax", "1.0"],
] as const) {
  test(`sparse files of GNU tar, ${format} ${version}, are read with their map`, () => {
    const path = join(directory, "sparse");
    const descriptor = openSync(path, "w");
    // More extents than an old GNU header and its first extension hold.
    for (let i = 0; i < 40; i++) writeSync(descriptor, Buffer.alloc(4096, 65 + i), 0, 4096, i * 65536);
    closeSync(descriptor);
    run(["truncate", "-s", "3000000", path]);
    const archive = join(directory, "sparse.tar");
    run([
      "tar",
      "-C",
      directory,
      `--format=${format}`,
      "-S",
      ...(version ? [`--sparse-version=${version}`] : []),
      "-cf",
      archive,
      "sparse",
    ]);
    const [only] = read(readFileSync(archive));
    expect(only?.entry).toMatchObject({ name: "sparse", type: "file", size: 3_000_000 });
    expect(only?.entry.ranges).toHaveLength(40);
    expect(only?.entry.ranges?.[39]).toEqual({ offset: 39 * 65536, length: 4096 });
    expect(only?.content.slice(39 * 4096)).toBe(String.fromCharCode(65 + 39).repeat(4096));
  });
}

test("numbers: octal, base 256, negative", () => {
  const field = (bytes: number[]) => readNumber(Buffer.from(bytes), 0, bytes.length);
  expect(field([0x80, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0])).toBe(3 * 2 ** 32);
  expect(field([0xff, 0xff, 0xff, 0xfe])).toBe(-2);
  expect(readNumber(Buffer.from(" 17 \0"), 0, 5)).toBe(15);
  expect(() => readNumber(Buffer.from("19\0"), 0, 3)).toThrow("invalid tar header");
});

test("PAX records override the header, and the later one counts", () => {
  const records: [string, string][] = [
    ["path", "first"],
    ["path", "nàme".repeat(60)],
    ["mtime", "-1.25"],
    ["uid", "4000000000"],
    ["size", "3"],
    ["SCHILY.xattr.user.a", "\0\n=b"],
    ["LIBARCHIVE.xattr.user.c%20d", "aGk="],
  ];
  const [only] = read(Buffer.concat([...pax(records), block({ mtime: 5 }), padded("abc"), end]));
  expect(only?.entry).toMatchObject({
    name: "nàme".repeat(60),
    uid: 4_000_000_000,
    mtime: -2,
    mtimeNanos: 750_000_000,
  });
  expect(Buffer.from(only?.entry.xattrs.get("user.a") ?? []).toString("latin1")).toBe("\0\n=b");
  expect(Buffer.from(only?.entry.xattrs.get("user.c d") ?? []).toString()).toBe("hi");
  expect(only?.content).toBe("abc");
});

test("a global header and a volume label are passed over; an entry without trailer ends the archive", () => {
  const label = block({ flag: "V", name: "label" });
  const content = encodePax([["path", "global"]]);
  const archive = [label, block({ flag: "g", size: content.length }), padded(content), block({ name: "a" })];
  expect(read(Buffer.concat(archive)).map(({ entry }) => entry.name)).toEqual(["a"]);
});

test("an archive may end in the padding of its last file: the docker CLI's archives of contexts do", () => {
  for (const length of [3, 100, 511]) {
    const archive = Buffer.concat([block({ size: 3 }), padded("abc").subarray(0, length)]);
    expect(read(archive).map(({ content }) => content)).toEqual(["abc"]);
  }
});

const corrupt: Record<string, Buffer> = {
  "a wrong checksum": Buffer.concat([Buffer.alloc(512, 1), end]),
  "one block of zeros amid": Buffer.concat([Buffer.alloc(512), block({})]),
  "a PAX record without length": Buffer.concat([block({ flag: "x", size: 5 }), padded("hello"), block({}), end]),
  "a PAX record longer than its block": Buffer.concat([
    block({ flag: "x", size: 7 }),
    padded("99 a=b\n"),
    block({}),
    end,
  ]),
  "a sparse map beyond the file": Buffer.concat([
    ...pax([
      ["GNU.sparse.map", "0,4,100,4"],
      ["GNU.sparse.size", "50"],
    ]),
    block({ size: 8 }),
    padded("abcdefgh"),
    end,
  ]),
  "a sparse map that overlaps": Buffer.concat([
    ...pax([
      ["GNU.sparse.map", "0,4,2,4"],
      ["GNU.sparse.size", "50"],
    ]),
    block({ size: 8 }),
    padded("abcdefgh"),
    end,
  ]),
  "a sparse map of 2^52 entries": Buffer.concat([
    ...pax([
      ["GNU.sparse.major", "1"],
      ["GNU.sparse.minor", "0"],
      ["GNU.sparse.realsize", "9"],
    ]),
    block({ size: 512 }),
    padded("4503599627370496\n"),
    end,
  ]),
};

for (const [name, archive] of Object.entries(corrupt)) {
  test(`refused: ${name}`, () => expect(() => read(archive)).toThrow("archive/tar: invalid tar header"));
}

test("refused: a name of a gigabyte, an unknown type, a short end", () => {
  expect(() => read(Buffer.concat([block({ flag: "L", size: 2 ** 30 }), end]))).toThrow("header field too long");
  expect(() => read(Buffer.concat([block({ flag: "Z" }), end]))).toThrow("unhandled tar header type 90");
  expect(() => read(Buffer.concat([block({ size: 600 }), Buffer.alloc(512)]))).toThrow("unexpected EOF");
  expect(() => read(block({}).subarray(0, 100))).toThrow("unexpected EOF");
});

/** An archive of one entry as the writer makes it. */
function write(entry: Partial<TarEntry>, content = ""): Buffer {
  const [from, to] = [join(directory, "content"), join(directory, "written.tar")];
  writeFileSync(from, content);
  const [source, target] = [openSync(from, "r"), openSync(to, "w")];
  const writer = new TarWriter(new ByteSink(target));
  const full = { ...base, mtimeNanos: 0, xattrs: new Map(), type: "file" as const, ...entry };
  if (full.type === "file") writer.addFile({ ...full, size: content.length }, source, 1000);
  else writer.add(full);
  writer.end();
  for (const descriptor of [source, target]) closeSync(descriptor);
  return readFileSync(to);
}

test("what the writer writes, GNU tar and the reader read", () => {
  const name = `${"ü".repeat(120)}/file`;
  const raw = Buffer.from(name).toString("latin1");
  const archive = write(
    { name: raw, uid: 3_000_000, mtime: -7, xattrs: new Map([["user.x", Buffer.from([0, 255])]]) },
    "hello",
  );
  const [only] = read(archive);
  expect(only).toMatchObject({ content: "hello", entry: { name: raw, uid: 3_000_000, mtime: -7, size: 5 } });
  expect(only?.entry.xattrs.get("user.x")).toEqual(Buffer.from([0, 255]));
  expect(run(["tar", "--quoting-style=literal", "-tf", join(directory, "written.tar")])).toBe(`${name}\n`);
});

test("a name of 256 bytes fits a ustar header without records", () => {
  const name = `${"a".repeat(155)}/${"b".repeat(100)}`;
  const archive = write({ name, type: "fifo" });
  expect(archive.length).toBe(512 + 1024);
  expect(parseHeader(archive.subarray(0, 512)).name).toBe(name);
});
