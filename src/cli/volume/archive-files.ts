/** Names of volumes' archives in a directory: `<volume>-<time>.tar`, as `volume export` and scheduled backups write them. */
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { timeStamp } from "../../base/clock.ts";
import { CliError } from "../command.ts";

export function isDirectory(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

export function archiveName(volume: string, at: Date): string {
  return `${volume}-${timeStamp(at)}.tar`;
}

/** The newest archive of a volume in a directory. */
export function newestArchive(directory: string, volume: string): string {
  const name = /^(.*)-(\d{8}T\d{6}Z)\.tar(?:\.\w+)?$/;
  const [newest] = readdirSync(directory)
    .map((file) => ({ file, match: name.exec(file) }))
    .filter(({ match }) => match?.[1] === volume)
    .sort((a, b) => ((a.match?.[2] ?? "") < (b.match?.[2] ?? "") ? 1 : -1));
  if (newest === undefined)
    throw new CliError(`${directory} holds no archive of volume ${volume} (${volume}-TIME.tar)`);
  return join(directory, newest.file);
}
