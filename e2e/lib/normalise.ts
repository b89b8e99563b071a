/** Replaces in a transcript what differs from run to run, and what the CLI (not the engine) adds. */
import { thermalThrottles } from "../../src/linux/host-facts.ts";

export interface Known {
  /** The daemon's directory. */
  root: string;
  /** The test host's address. */
  address: string;
  address6: string;
}

const rules: [RegExp, string][] = [
  [/\x1b\[[0-9;?]*[A-Za-z]/g, ""],
  [/\r\n/g, "\n"],
  // The CLI's advice after an error differs between its versions.
  [/^(!? ?\n)?(! )?(See 'docker .*--help'\.|Run 'docker .*--help' for more information)\n/gm, ""],
  [/^!\n/gm, ""],
  // Names the OCI runtime, and a remnant of containerd's errors.
  [/\b(runc|crun) create failed: /g, ""],
  [/(OCI runtime .*): unknown$/gm, "$1"],
  // A directory of dockerd's own.
  [/\bdocker-import-\d+/g, "docker-import-<n>"],
  [/\b[0-9a-f]{64}\b/g, "<id>"],
  [/\b(?=[0-9a-f]*[0-9])[0-9a-f]{12}\b/g, "<short-id>"],
  [/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?[+-]\d{4}| ?[+-]\d\d:\d\d|Z)?( UTC)?/g, "<time>"],
  [/(About a |About an |Less than a |\d+ )(second|minute|hour)s?( ago)?/g, "<duration>$3"],
  [/\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, "<mac>"],
  // A container's interface, by the name of its other end on the host.
  [/\bveth[0-9a-f]{7,10}\b/g, "<veth>"],
  // The test plugin's name, which is one run's own.
  [/\be2eplug\d{7}\b/g, "e2eplug0000000"],
  // The kernel's: cgroup 1 or 2.
  [/(HostConfig\.OomKillDisable: |"OomKillDisable":)(?:boolean|false|null)\b/g, "$1<cgroup version>"],
  [/("CgroupnsMode":)"(?:host|private)"/g, "$1<cgroup version>"],
];

/** What the processors have differs, but an engine masks all of that machine's, in order, after the last path that is the same everywhere. */
const lastMasked = '"/sys/devices/virtual/powercap"';
const throttles = thermalThrottles().map((path) => `,?\\s*"${path}"`);
rules.push([new RegExp(lastMasked + throttles.join(""), "g"), `${lastMasked}<and thermal_throttle of each CPU>`]);

export function normalise(text: string, { root, address, address6 }: Known): string {
  const local = text.replaceAll(root, "<root>").replaceAll(address, "<host>").replaceAll(address6, "<host6>");
  return rules.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), local);
}

/** What need not be the same where a transcript and its golden were made. */
const incomparable: [RegExp, string][] = [
  // Words of the CLI's own versions, from 28 on.
  [/^! docker: Invalid (ranges specified|hostPort|proto)/gm, "! docker: invalid $1"],
  [/^! docker: Invalid ip address (\S+): address .*/gm, "! docker: invalid IP address: $1"],
  [/(error calling \w+: incompatible types for comparison): .*/g, "$1"],
  // The kernel's configuration: a tmpfs option that it shows, a file that is masked where it is.
  [/\b(tmpfs rw,\S*),inode64/g, "$1"],
  [/^\/proc\/sysrq-trigger proc ro,relatime\n/gm, ""],
  // The file system of the temporary directory.
  [/( is mounted on )\S+( but it is not a shared )/g, "$1<mount point>$2"],
  [/^(.* d[-rwxsStT]{9} \d+:\d+) \d+ /gm, "$1 <size> "],
  [/^(d[-rwxsStT]{9} +\d+ +\S+ +\S+) +\d+ /gm, "$1 <size> "],
  [/^total \d+$/gm, "total <size>"],
];

/** For a transcript and its golden alike: what has to be the same of them. */
export function comparable(transcript: string): string {
  return incomparable.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), transcript);
}
