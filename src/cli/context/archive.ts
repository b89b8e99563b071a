/** The tar archives of `context export` and `import`: meta.json and tls/ENDPOINT/*.pem. A few plain files, so plain ustar headers do. */
import { dirname } from "node:path";
import { CliError } from "../command.ts";
import type { ContextMeta, TlsFiles } from "./store.ts";

const block = 512;

export function packContext(meta: ContextMeta, tls: TlsFiles): Uint8Array {
  const files = Object.entries(tls);
  const parts = [entry("meta.json", JSON.stringify(meta), 0o644), entry("tls", undefined, 0o700)];
  for (const folder of new Set(files.map(([path]) => dirname(path))))
    parts.push(entry(`tls/${folder}`, undefined, 0o700));
  for (const [path, text] of files) parts.push(entry(`tls/${path}`, text, 0o600));
  return Buffer.concat([...parts, Buffer.alloc(2 * block)]);
}

/** One header and its content; a directory has no content. */
function entry(name: string, text: string | undefined, mode: number): Buffer {
  const content = Buffer.from(text ?? "");
  const header = Buffer.alloc(block);
  const octal = (value: number, width: number) => value.toString(8).padStart(width - 1, "0");
  header.write(name, 0);
  header.write(octal(mode, 8), 100);
  header.write(octal(0, 8), 108);
  header.write(octal(0, 8), 116);
  header.write(octal(content.length, 12), 124);
  header.write(octal(0, 12), 136);
  header.write("        ", 148);
  header.write(text === undefined ? "5" : "0", 156);
  header.write("ustar\0" + "00", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  const padding = Buffer.alloc((block - (content.length % block)) % block);
  return Buffer.concat([header, content, padding]);
}

/** Reads such an archive. Throws CliError for any other entry: nothing may be written outside the context. */
export function unpackContext(archive: Uint8Array): { meta: ContextMeta; tls: TlsFiles } {
  const bytes = Buffer.from(archive);
  let meta: ContextMeta | undefined;
  const tls: TlsFiles = {};
  for (let at = 0; at + block <= bytes.length && bytes[at] !== 0; ) {
    const text = (start: number, length: number) =>
      bytes.toString("utf8", at + start, at + start + length).replace(/\0.*$/s, "");
    const [name, size, type] = [text(0, 100), Number.parseInt(text(124, 12), 8) || 0, text(156, 1)];
    const content = bytes.toString("utf8", at + block, at + block + size);
    at += block + Math.ceil(size / block) * block;
    const pem = /^tls\/([\w-]+\/[\w-][\w.-]*)$/.exec(name)?.[1];
    if (type === "5") continue;
    if (name === "meta.json") meta = JSON.parse(content) as ContextMeta;
    else if (pem !== undefined) tls[pem] = content;
    else throw new CliError(`unexpected context file: ${name}`);
  }
  if (!meta) throw new CliError("unexpected EOF");
  return { meta, tls };
}
