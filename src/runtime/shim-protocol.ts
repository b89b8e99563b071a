/** The bytes between daemon and shim, as shim/PROTOCOL.md defines them: the start message, reports, replies. */
import { internal, invalidArgument } from "../base/errors.ts";

/** What the daemon asks of one shim. */
export interface ShimStart {
  /** Exists already and belongs to this shim alone: its sockets, pid file and exit record live there. */
  directory: string;
  /** The runtime's command with its own global options, e.g. `crun --root R run --bundle B ID`; what the shim needs is added. */
  runtimeArgv: string[];
  terminal: boolean;
  rows?: number;
  cols?: number;
  /** `once`: the first client's end of file closes the container's stdin; `open`: it stays open; `none`: /dev/null. */
  stdin: "none" | "once" | "open";
  /** Output is read only when this many clients have attached (or after 10 s). */
  waitAttach: number;
  log?: ShimLog;
  /** cgroup file with an `oom_kill` line: v1 `memory.oom_control` or v2 `memory.events`. */
  oomFile?: string;
  /** Mount point of a cgroup v2 hierarchy to hide from the runtime (crun on a hybrid host). */
  hideCgroup2?: string;
  /** The shim's own oom_score_adj. */
  oomScoreAdjust?: number;
  cwd: string;
  /** The runtime's whole environment. */
  env: Record<string, string>;
}

export interface ShimLog {
  path: string;
  /** Bytes; 0 never rotates. */
  maxSize: number;
  maxFile: number;
  compress: boolean;
  /** Extra attributes of each entry (`--log-opt labels`, `env`, `tag`). */
  attrs?: Record<string, string>;
}

export interface ExitRecord {
  /** 128 + signal when killed. */
  exitCode: number;
  signal: number;
  oomKilled: boolean;
  /** Nanoseconds since 1970. */
  finishedAt: bigint;
}

/** `offset` bytes of the log file with this inode precede what the client will see live; `generation` counts rotations. */
export interface LogPosition {
  generation: number;
  inode: number;
  offset: number;
}

export type ShimReport =
  | { kind: "ready" }
  | { kind: "pid"; pid: number }
  | { kind: "exit"; record: ExitRecord }
  | { kind: "error"; exitCode: number; message: string };

/** sun_path holds 108 bytes with its final NUL. */
export const socketPathLimit = 107;

const verbs = new Set(["run", "exec", "restore"]);

/** The start message: NUL-terminated `key=value` strings. Throws invalid-argument for what it cannot carry. */
export function encodeStart(start: ShimStart): Uint8Array {
  const fields = [
    "gantry-shim=1",
    `directory=${start.directory}`,
    `cwd=${start.cwd}`,
    `stdin=${start.stdin}`,
    `terminal=${flag(start.terminal)}`,
    `wait-attach=${start.waitAttach}`,
    ...option("rows", start.rows),
    ...option("cols", start.cols),
    ...option("oom-file", start.oomFile),
    ...option("hide-cgroup2", start.hideCgroup2),
    ...option("oom-score-adj", start.oomScoreAdjust),
    ...(start.log ? logFields(start.log) : []),
    ...runtimeArgv(start).map((arg) => `arg=${arg}`),
    ...Object.entries(start.env).map(([name, value]) => `env=${name}=${value}`),
    "end=1", // what lacks it was cut off by the daemon's death
  ];
  const nul = fields.find((field) => field.includes("\0"));
  if (nul !== undefined) throw invalidArgument(`NUL byte in ${JSON.stringify(nul)}`);
  return new TextEncoder().encode(`${fields.join("\0")}\0`);
}

function logFields(log: ShimLog): string[] {
  return [
    `log-path=${log.path}`,
    `log-max-size=${log.maxSize}`,
    `log-max-file=${log.maxFile}`,
    `log-compress=${flag(log.compress)}`,
    ...(log.attrs && Object.keys(log.attrs).length > 0 ? [`log-attrs=${JSON.stringify(log.attrs)}`] : []),
  ];
}

/** The runtime's command with the options that make its process the shim's child and its errors the shim's to tell. */
function runtimeArgv(start: ShimStart): string[] {
  const [command, ...args] = start.runtimeArgv;
  const at = args.findIndex((arg) => verbs.has(arg));
  if (command === undefined || at < 0) throw internal(`no run, exec or restore in ${start.runtimeArgv.join(" ")}`);
  const console = `${start.directory}/console.sock`;
  if (start.terminal && Buffer.byteLength(console) > socketPathLimit) throw internal(`path too long: ${console}`);
  return [
    command,
    ...["--log", `${start.directory}/runtime.log`, "--log-format", "json"],
    ...args.slice(0, at + 1),
    ...["--detach", "--pid-file", `${start.directory}/pid`],
    ...(start.terminal ? ["--console-socket", console] : []),
    ...args.slice(at + 1),
  ];
}

const flag = (value: boolean): string => (value ? "1" : "0");

const option = (key: string, value: string | number | undefined): string[] =>
  value === undefined ? [] : [`${key}=${value}`];

/** One line of the shim's reports. Throws internal for a line that is none. */
export function parseReport(line: string): ShimReport {
  const space = line.indexOf(" ");
  const kind = space < 0 ? line : line.slice(0, space);
  const detail = space < 0 ? "" : line.slice(space + 1);
  if (kind === "ready") return { kind };
  if (kind === "pid") return { kind, pid: Number(detail) };
  if (kind === "exit") return { kind, record: parseExitRecord(detail) };
  if (kind === "error") return { kind, ...parseStartError(detail) };
  throw internal(`unknown report of the shim: ${line}`);
}

/** `CODE SIGNAL OOM TIME_NS`, as reported and as in the file `exit`. */
export function parseExitRecord(text: string): ExitRecord {
  const match = /^(\d+) (\d+) ([01]) (\d+)\n?$/.exec(text);
  if (!match) throw internal(`malformed exit record: ${text}`);
  const [, code, signal, oom, time] = match;
  return { exitCode: Number(code), signal: Number(signal), oomKilled: oom === "1", finishedAt: BigInt(time ?? "") };
}

/** `CODE TEXT`, as reported and as in the file `error`. The text is the runtime's log: JSON lines, or plain. */
export function parseStartError(text: string): { exitCode: number; message: string } {
  const match = /^(\d+) ([^\n]*)\n?$/.exec(text);
  if (!match) throw internal(`malformed start error: ${text}`);
  const raw = (match[2] ?? "").replace(/\\(.)/g, (_, letter: string) => (letter === "n" ? "\n" : letter));
  return { exitCode: Number(match[1]), message: runtimeMessage(raw) };
}

/** The last error among the runtime's log lines; all of the text when it is no log. */
function runtimeMessage(raw: string): string {
  const errors = raw.split("\n").flatMap((line) => {
    const entry = parseJson(line);
    if (typeof entry !== "object" || entry === null || !("msg" in entry)) return [];
    return typeof entry.msg === "string" && (!("level" in entry) || entry.level === "error") ? [entry.msg] : [];
  });
  return errors.at(-1) ?? raw.trim();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The reply to a client's hello on attach.sock. */
export function parseLogPosition(line: string): LogPosition {
  const match = /^ok (\d+) (\d+) (\d+)$/.exec(line);
  if (!match) throw internal(`unexpected answer of the shim: ${line}`);
  return { generation: Number(match[1]), inode: Number(match[2]), offset: Number(match[3]) };
}
