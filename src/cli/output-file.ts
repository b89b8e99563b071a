/** `-o FILE` of commands that save a stream: the file appears under its name only when it is whole. */
import { closeSync, lstatSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Bytes } from "../base/streams.ts";
import { CliError } from "./command.ts";

/** Throws a CliError in docker's words when nothing can be written there; `what` begins the message. */
export function checkOutputPath(path: string, what: string): void {
  const directory = dirname(path);
  if (!lstatSync(directory, { throwIfNoEntry: false })) {
    throw new CliError(`${what}: invalid output path: stat ${directory}: no such file or directory`);
  }
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new CliError(`${what}: cannot write to a directory`);
  }
}

/** Devices and pipes are written to directly. Nothing is left behind when the stream fails. */
export async function streamToFile(stream: Bytes, path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  const direct = stat !== undefined && !stat.isFile();
  const target = direct ? path : join(dirname(path), `.tmp-${basename(path)}${process.pid}`);
  const fd = openSync(target, "w", 0o600);
  try {
    for await (const chunk of stream) {
      for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at);
    }
    if (!direct) renameSync(target, path);
  } catch (error) {
    if (!direct) rmSync(target, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}
