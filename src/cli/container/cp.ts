/** `container cp`: both directions, `-` for a tar stream. */
import { lstatSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { posix, resolve } from "node:path";
import type { ContainerPathStat } from "../../api/containers.ts";
import { errorCode } from "../../base/errors.ts";
import { goQuote } from "../../base/go-quote.ts";
import { type Bytes, bodyOf } from "../../base/streams.ts";
import { CliError, defineCommand } from "../command.ts";
import type { CliContext } from "../context.ts";
import { flag } from "../flag-kinds.ts";
import { openFailure } from "../paths.ts";
import { packTree } from "../tar/pack.ts";
import { unpackTree } from "../tar/unpack.ts";
import { type CopyEnd, clean, keepEnding, planCopy, rebase, renamer, splitArgument, splitPath } from "./copy-paths.ts";
import { CopyProgress } from "./copy-progress.ts";
import { containerPath } from "./names.ts";

interface CopyOptions {
  readonly followLink: boolean;
  readonly archive: boolean;
  readonly quiet: boolean;
}

export const command = defineCommand({
  usage: "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tPROGRAM cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
  description: `Copy files/folders between a container and the local filesystem

Use '-' as the source to read a tar archive from stdin
and extract it to a directory destination in a container.
Use '-' as the destination to stream a tar archive of a
container source to stdout.`,
  args: { min: 2, max: 2 },
  flags: {
    "follow-link": flag.bool("Always follow symbol link in SRC_PATH", { short: "L" }),
    archive: flag.bool("Archive mode (copy all uid/gid information)", { short: "a" }),
    quiet: flag.bool(
      "Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached",
      { short: "q" },
    ),
  },
  async run(context, flags, [from = "", to = ""]) {
    if (from === "") throw new CliError("source can not be empty");
    if (to === "") throw new CliError("destination can not be empty");
    const { archive, "follow-link": followLink } = flags.value;
    const quiet = flags.changed("quiet") ? flags.value.quiet : !context.stdout.isTerminal;
    const options: CopyOptions = { archive, followLink, quiet };
    const [source, destination] = [splitArgument(from), splitArgument(to)];
    if (source.container !== "" && destination.container !== "") {
      throw new CliError("copying between containers is not supported");
    }
    if (source.container !== "") return copyOut(context, source.container, source.path, destination.path, options);
    if (destination.container !== "") return copyIn(context, destination, source.path, options);
    throw new CliError("must specify at least one container source");
  },
});

async function copyOut(
  context: CliContext,
  container: string,
  sourcePath: string,
  target: string,
  options: CopyOptions,
): Promise<number> {
  const destination = target === "-" ? target : keepEnding(resolve(target), target);
  checkOutput(destination);
  let source: { path: string; rebaseName?: string } = { path: sourcePath };
  if (options.followLink) {
    const stat = await statInContainer(context, container, sourcePath);
    if (stat && isLink(stat)) source = rebase(sourcePath, linkTarget(sourcePath, stat.linkTarget));
  }
  const response = await context.client.request("GET", `${containerPath(container)}/archive`, {
    query: { path: source.path },
  });
  const body = bodyOf(response);
  if (destination === "-") {
    for await (const chunk of body) await context.stdout.send(chunk);
    return 0;
  }
  const stat = decodeStat(response.headers.get("x-docker-container-path-stat"));
  const sourceEnd: CopyEnd = { ...source, exists: true, isDirectory: stat !== undefined && isDirectory(stat) };
  const destinationEnd = localDestination(destination);
  // The archive names its root after what was asked for; the plan may start from the name before a link was followed.
  const plan = planCopy(sourceEnd, destinationEnd);
  const rename = renamer(toRaw(splitPath(source.path).base), toRaw(plan.to));
  const progress = new CopyProgress(context, "Copying from container - ", options.quiet);
  await progress.run(() => unpackTree(progress.count(body), toRaw(clean(plan.folder)), { rename }), destination);
  return 0;
}

async function copyIn(
  context: CliContext,
  destination: { container: string; path: string },
  sourceArgument: string,
  options: CopyOptions,
): Promise<number> {
  const { container } = destination;
  const shown = `${container}:${destination.path}`;
  let path = destination.path;
  let stat = await statInContainer(context, container, path);
  if (stat && isLink(stat)) {
    path = linkTarget(path, stat.linkTarget);
    stat = await statInContainer(context, container, path);
  }
  if (stat && isSpecial(stat)) {
    throw new CliError(`destination ${goQuote(shown)} must be a directory or a regular file: ${specialName(stat)}`);
  }
  const end: CopyEnd = { path, exists: stat !== undefined, isDirectory: stat !== undefined && isDirectory(stat) };
  if (sourceArgument === "-") {
    if (!end.isDirectory) throw new CliError(`destination ${goQuote(shown)} must be a directory`);
    await upload(context, container, path, context.stdin.stream(), options);
    return 0;
  }
  const source = localSource(keepEnding(resolve(sourceArgument), sourceArgument), options.followLink);
  const plan = planCopy(source, end);
  const progress = new CopyProgress(context, "Copying to container - ", options.quiet);
  const stream = progress.count(packTree(toRaw(source.path), toRaw(plan.to)));
  await progress.run(() => upload(context, container, plan.folder, stream, options), `${container}:${path}`);
  return 0;
}

function upload(
  context: CliContext,
  container: string,
  path: string,
  stream: Bytes,
  options: CopyOptions,
): Promise<void> {
  return context.client.send("PUT", `${containerPath(container)}/archive`, {
    query: { path, noOverwriteDirNonDir: "true", copyUIDGID: options.archive ? "true" : undefined },
    headers: { "Content-Type": "application/x-tar" },
    stream,
  });
}

/** Undefined when the daemon finds nothing there: the copy itself will say what is wrong. */
async function statInContainer(
  context: CliContext,
  container: string,
  path: string,
): Promise<ContainerPathStat | undefined> {
  try {
    const response = await context.client.request("HEAD", `${containerPath(container)}/archive`, { query: { path } });
    return decodeStat(response.headers.get("x-docker-container-path-stat"));
  } catch (error) {
    if (error instanceof Error && error.name === "ApiError") return undefined;
    throw error;
  }
}

function decodeStat(header: string | null): ContainerPathStat | undefined {
  if (header === null) return undefined;
  return JSON.parse(Buffer.from(header, "base64").toString("utf8")) as ContainerPathStat;
}

// Bits of Go's os.FileMode.
const modeDir = 0x80000000;
const modeSymlink = 0x08000000;
const modeDevice = 0x04000000;
const modeIrregular = 0x00080000;

const hasBit = (stat: ContainerPathStat, bit: number) => Math.floor(stat.mode / bit) % 2 === 1;
const isLink = (stat: ContainerPathStat) => hasBit(stat, modeSymlink);
const isDirectory = (stat: ContainerPathStat) => hasBit(stat, modeDir);
const isSpecial = (stat: ContainerPathStat) => hasBit(stat, modeDevice) || hasBit(stat, modeIrregular);
const specialName = (stat: ContainerPathStat) => (hasBit(stat, modeDevice) ? "got a device" : "got an irregular file");

function linkTarget(path: string, target: string): string {
  return target.startsWith("/") ? target : posix.join(splitPath(path).parent, target);
}

/** Throws as docker's ValidateOutputPath. */
function checkOutput(path: string): void {
  if (path === "-") return;
  const folder = posix.dirname(posix.normalize(path));
  const parent = statSync(folder, { throwIfNoEntry: false });
  if (folder !== "." && !parent) throw new CliError(`invalid output path: directory ${goQuote(folder)} does not exist`);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isCharacterDevice() || stat?.isBlockDevice()) {
    throw new CliError(`invalid output path: ${goQuote(path)} must be a directory or a regular file: got a device`);
  }
}

/** Links are followed, so that a copy onto a link changes what it points to. */
function localDestination(destination: string): CopyEnd {
  let path = destination;
  for (let follow = 0; follow <= 10; follow++) {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (!stat) {
      const { parent } = splitPath(path);
      const parentStat = statSync(parent, { throwIfNoEntry: false });
      if (!parentStat) throw new CliError(`stat ${parent}: no such file or directory`);
      if (!parentStat.isDirectory()) throw new CliError("not a directory");
      return { path, exists: false, isDirectory: false };
    }
    if (!stat.isSymbolicLink()) return { path, exists: true, isDirectory: stat.isDirectory() };
    path = resolve(posix.dirname(path), readlinkSync(path));
  }
  throw new CliError(`reached symlink limit (10) while resolving ${goQuote(destination)}`);
}

/** Throws Go's error when it is not there, or not a folder although its name ends as one's. */
function localSource(source: string, followLink: boolean): CopyEnd {
  try {
    const real = followLink ? rebase(source, realpathSync(source)) : { path: realParent(source) };
    // A trailing slash makes the kernel insist on a folder.
    const stat = lstatSync(real.path);
    return { ...real, exists: true, isDirectory: stat.isDirectory() };
  } catch (error) {
    if (errorCode(error) === "ENOTDIR") throw new CliError("not a directory", 1, { cause: error });
    throw errorCode(error) === undefined ? error : openFailure(source, error, "lstat");
  }
}

function realParent(path: string): string {
  const { parent, base } = splitPath(path);
  if (base === ".") return keepEnding(realpathSync(parent), path);
  return keepEnding(posix.join(realpathSync(parent), base), path);
}

/** File names as raw strings, one character per byte. */
function toRaw(path: string): string {
  return Buffer.from(path).toString("latin1");
}
