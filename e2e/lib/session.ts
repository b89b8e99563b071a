/**
 * A shell session with the docker CLI, recorded as a transcript and compared with the one that Docker itself gave (`e2e/golden`).
 *
 * Each line of a script is one command of `sh`. In it `docker` is the stock CLI on the target, `host CMD…` runs on the target's test
 * host, `api METHOD PATH [JSON]` calls the Engine API, `until_state NAME STATE` waits. `RECORD=1 TARGET=dockerd` writes the goldens.
 */
import { expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gantryDiffers } from "./differences.ts";
import { busyboxArchive } from "./images.ts";
import { comparable, normalise } from "./normalise.ts";
import { must, type Outcome, run } from "./run.ts";
import { dockerCli, repository } from "./settings.ts";
import type { Target } from "./target.ts";

const prelude = `
host() { nsenter --net="$NETNS" -- "$@"; }
api() { curl -sS -w '\\n%{http_code}\\n' --unix-socket "$SOCKET" -X "$1" -H 'Content-Type: application/json' \${3:+-d "$3"} "http://docker$2"; }
until_true() { n=0; until "$@" >/dev/null 2>&1; do n=$((n+1)); [ $n -gt 300 ] && { echo "never: $*"; return 1; }; sleep 0.1; done; }
is_state() { [ "$(docker inspect -f '{{.State.Status}}' "$1")" = "$2" ]; }
until_state() { until_true is_state "$1" "$2"; }
is_health() { [ "$(docker inspect -f '{{.State.Health.Status}}' "$1")" = "$2" ]; }
until_health() { until_true is_health "$1" "$2"; }
logged() { docker logs "$1" 2>&1 | grep -q "$2"; }
group_of() { find /sys/fs/cgroup -type d -path "*$(docker inspect -f '{{.Id}}' "$1")" | grep -F "/$2/" | head -1; }
v1() { cat "$(group_of "$1" "$2")/$3"; }
v2() { cat "$(group_of "$1" cgroup)/$2"; }
limit() {
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    case $2 in
      memory) v2 "$1" memory.max ;; reservation) v2 "$1" memory.low ;; pids) v2 "$1" pids.max ;; cpus) v2 "$1" cpuset.cpus ;;
      quota) v2 "$1" cpu.max | cut -d' ' -f1 ;; swap) echo $(($(v2 "$1" memory.max) + $(v2 "$1" memory.swap.max))) ;;
    esac
  else
    case $2 in
      memory) v1 "$1" memory memory.limit_in_bytes ;; reservation) v1 "$1" memory memory.soft_limit_in_bytes ;;
      pids) v1 "$1" pids pids.max ;; cpus) v1 "$1" cpuset cpuset.cpus ;;
      quota) v1 "$1" cpu cpu.cfs_quota_us ;; swap) v1 "$1" memory memory.memsw.limit_in_bytes ;;
    esac
  fi
}
until_logged() { until_true logged "$1" "$2"; }
logged_times() { [ "$(docker logs "$1" 2>&1 | grep -c "$2")" -ge "$3" ]; }
`;

export class Session {
  private readonly target: Target;
  private readonly directory: string;
  private transcript = "";

  constructor(target: Target) {
    this.target = target;
    this.directory = join(target.root, "work");
    const bin = join(target.root, "bin");
    mkdirSync(this.directory, { recursive: true });
    mkdirSync(bin, { recursive: true });
    const docker = join(bin, "docker");
    if (!existsSync(docker)) symlinkSync(Bun.which(dockerCli) ?? dockerCli, docker);
    writeFileSync(join(bin, "prelude.sh"), prelude);
  }

  /** Runs each line, one after the other, and adds what it said to the transcript. */
  async play(script: string): Promise<void> {
    for (const line of script.split("\n").map((text) => text.trim())) {
      if (line.startsWith("#")) this.transcript += `\n${line}\n`;
      else if (line !== "") await this.step(line);
    }
  }

  /** Runs a script that is no part of the transcript. */
  async prepare(script: string): Promise<void> {
    await must(["bash", "-e", "-c", script], { cwd: this.directory });
  }

  private async step(line: string): Promise<void> {
    const { root, host, socket, cliEnvironment } = this.target;
    const env = {
      ...cliEnvironment,
      PATH: `${join(root, "bin")}:${process.env["PATH"]}`,
      NETNS: host.netns,
      HOSTIP: host.address,
      HOSTIP6: host.address6,
      SOCKET: socket,
      DATA: this.target.dataRoot,
      E2E_BUSYBOX: await busyboxArchive(),
      LC_ALL: "C",
    };
    // `timeout` ends the whole process group: what runs in the background must not hold the pipes.
    const argv = ["timeout", "-k", "1", "40", "bash", "-c", `. ${root}/bin/prelude.sh; ${line}`];
    const outcome = await run(argv, { env, cwd: this.directory });
    this.transcript += `$ ${line}\n${show(outcome)}`;
    if (process.env["E2E_TRACE"]) console.error(`$ ${line}\n${show(outcome)}`);
  }

  /** Adds a result that came by another way. */
  note(label: string, text: string): void {
    this.transcript += `> ${label}\n${text}\n`;
  }

  /** Compares the transcript with `golden/NAME.txt`, or with what this version of Docker says otherwise (`NAME.20.txt`). */
  async matches(name: string): Promise<void> {
    const { root, host } = this.target;
    const actual = normalise(this.transcript, { root, address: host.address, address6: host.address6 });
    const [common, old] = [`${name}.txt`, `${name}.20.txt`].map((file) => join(repository, "e2e/golden", file)) as [
      string,
      string,
    ];
    const isOld = this.target.kind === "dockerd" && (await dockerdMajor(this.target)) < 28;
    if (process.env["RECORD"] && this.target.kind === "dockerd") {
      mkdirSync(dirname(common), { recursive: true });
      if (!isOld) writeFileSync(common, actual);
      else if (!existsSync(common) || readFileSync(common, "utf8") !== actual) writeFileSync(old, actual);
      return;
    }
    const expected = readFileSync(isOld && existsSync(old) ? old : common, "utf8");
    const wanted = this.target.kind === "gantry" ? gantryDiffers(name, expected) : expected;
    const told = (text: string) => withoutRaces(comparable(text));
    expect(told(actual)).toBe(told(wanted));
  }
}

function show({ stdout, stderr, code }: Outcome): string {
  const lines = (text: string, mark: string) =>
    text === ""
      ? ""
      : `${text
          .replace(/\n$/, "")
          .replace(/^/gm, mark)
          .replace(/[ \t]+$/gm, "")}\n`;
  return `${lines(stdout, "")}${lines(stderr, "! ")}${code === 0 ? "" : `[${code}]\n`}`;
}

async function dockerdMajor(target: Target): Promise<number> {
  return Number.parseInt(
    await must([dockerCli, "version", "-f", "{{.Server.Version}}"], { env: target.cliEnvironment }),
    10,
  );
}

/** `docker cp` logs that its archive was cut off, or not: it depends on how far it came before it had its answer. */
function withoutRaces(transcript: string): string {
  return transcript.replace(/^! time="<time>" level=error msg="Can't (?:add file|close tar writer)[^\n]*\n/gm, "");
}
