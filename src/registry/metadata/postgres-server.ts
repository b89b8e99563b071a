/** For tests: Debian's PostgreSQL in a directory of its own, on a socket only. */
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const versions = "/usr/lib/postgresql";

export interface PostgresServer extends AsyncDisposable {
  /** Of a new and empty database. */
  newDatabase(): Promise<string>;
  /** Ends it as a crash would; it answers again when `start` is over. */
  crash(): Promise<void>;
  start(): Promise<void>;
}

/** The directory of the newest version's programs; undefined when there is none. */
function postgresPrograms(): string | undefined {
  if (!existsSync(versions)) return undefined;
  const newest = readdirSync(versions).sort((a, b) => Number(b) - Number(a))[0];
  return newest === undefined ? undefined : join(versions, newest, "bin");
}

/** It does not run as root: it is started as the user that Debian's package made. */
export async function startPostgres(): Promise<PostgresServer> {
  const programs = postgresPrograms();
  if (programs === undefined) throw new Error("there is no PostgreSQL: apt-get install postgresql");
  const directory = mkdtempSync(join(tmpdir(), "gantry-postgres-"));
  const data = join(directory, "data");
  mkdirSync(data);
  const ids = Bun.spawnSync(["sh", "-c", "id -u postgres && id -g postgres"]).stdout.toString().split("\n").map(Number);
  for (const path of [directory, data]) chownSync(path, ids[0] ?? 0, ids[1] ?? 0);
  const as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"];
  const run = (...argv: string[]) => {
    const { exitCode, stderr } = Bun.spawnSync([...as, ...argv], { cwd: directory });
    if (exitCode !== 0) throw new Error(`${argv[0]}: ${stderr.toString()}`);
  };
  run(join(programs, "initdb"), "-D", data, "-A", "trust", "-U", "gantry", "-E", "UTF8", "--no-sync");
  const query = (sql: string) =>
    Bun.spawnSync([join(programs, "psql"), "-h", directory, "-U", "gantry", "-d", "postgres", "-qc", sql]).exitCode ===
    0;
  const settings = [`-k${directory}`, "-clisten_addresses=", "-cmax_connections=200", "-cshared_buffers=16MB"];
  let server: Bun.Subprocess;
  const start = async () => {
    server = Bun.spawn([...as, join(programs, "postgres"), "-D", data, ...settings], {
      ...{ cwd: directory, stdout: "ignore", stderr: "ignore" },
    });
    for (let attempt = 0; !query("SELECT 1"); attempt++) {
      if (attempt > 200) throw new Error("PostgreSQL did not start");
      await Bun.sleep(50);
    }
  };
  const stop = async (signal: NodeJS.Signals) => {
    server.kill(signal);
    await server.exited;
  };
  await start();
  let count = 0;
  return {
    start,
    crash: () => stop("SIGQUIT"),
    newDatabase: async () => {
      const name = `registry_${count++}`;
      if (!query(`CREATE DATABASE ${name}`)) throw new Error(`cannot create ${name}`);
      return `postgres://gantry@localhost/${name}?host=${encodeURIComponent(directory)}`;
    },
    [Symbol.asyncDispose]: async () => {
      await stop("SIGINT");
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
