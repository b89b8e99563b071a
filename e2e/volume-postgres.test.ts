/** PostgreSQL under load: every copy of its volume is a consistent database, whichever way it went. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { servicesArchive } from "./lib/debian.ts";
import { useTarget } from "./lib/journey.ts";
import { TestRegistries } from "./lib/registries.ts";
import { must, run, until } from "./lib/run.ts";
import { dockerCli, gantryCommand, targetKind } from "./lib/settings.ts";

let registries: TestRegistries | undefined;
afterAll(() => registries?.stop());

const target = useTarget({ busybox: false });
const own = targetKind === "gantry";
const registryAddress = "localhost:5984";
const home = "/var/lib/postgresql";

const gantry = (...args: string[]) => must([...gantryCommand(), ...args], { env: target().cliEnvironment });
const docker = (...args: string[]) => target().must(...args);
const inside = (container: string, script: string) =>
  docker("exec", "-u", "postgres", container, "bash", "-c", `PATH=$(echo /usr/lib/postgresql/*/bin):$PATH; ${script}`);

beforeAll(async () => {
  if (!own) return;
  const archive = await servicesArchive();
  await must(["sh", "-c", `exec docker import - services <${archive}`], { env: target().cliEnvironment });
}, 300_000);

/** A script beside PostgreSQL's files on a volume, as its user. */
const runOn = (volume: string, script: string, ...options: string[]) =>
  docker("run", ...options, "-u", "postgres", "-v", `${volume}:${home}`, "services", "bash", "-c", script);

/** A server on a volume, whose directory the image's own gives its owner. */
async function serve(volume: string): Promise<string> {
  const name = `server-${volume}`;
  const script = `PATH=$(echo /usr/lib/postgresql/*/bin):$PATH; cd; [ -d db ] || initdb -k -N -D db >/dev/null; exec postgres -D db -k /tmp`;
  await runOn(volume, script, "-d", "--name", name);
  await until(
    `${name} to answer`,
    async () =>
      (await target().docker("exec", name, "psql", "-h", "/tmp", "-U", "postgres", "-c", "select 1")).code === 0,
  );
  return name;
}

/** pgbench changes four tables in each transaction by one amount: their sums agree, or it is no state the database ever was in. */
const sums =
  "psql -h /tmp -AtF' ' -c 'select (select sum(abalance) from pgbench_accounts), (select sum(tbalance) from pgbench_tellers), (select sum(bbalance) from pgbench_branches), (select coalesce(sum(delta),0) from pgbench_history), (select count(*) from pgbench_history)'";

/** Returns how many transactions are in it. */
async function expectConsistent(volume: string): Promise<number> {
  const name = await serve(volume);
  const [accounts, tellers, branches, history, count] = (await inside(name, sums)).split(" ").map(Number);
  expect([tellers, branches, history]).toEqual([accounts, accounts, accounts]);
  await inside(
    name,
    "psql -h /tmp -qc 'create extension if not exists amcheck' && pg_amcheck -h /tmp -d postgres --heapallindexed",
  );
  await docker("stop", name);
  await docker("rm", name);
  await runOn(volume, "/usr/lib/postgresql/*/bin/pg_checksums --check -D ~/db", "--rm");
  return count as number;
}

test.if(own)("snapshots under load, an archive in a directory, an artifact in a registry", async () => {
  const server = await serve("pg");
  await inside(server, "pgbench -h /tmp -q -i -s 2 postgres");
  const load = run(
    [dockerCli, "exec", "-u", "postgres", server, "pgbench", "-h", "/tmp", "-n", "-c", "4", "-T", "600", "postgres"],
    { env: target().cliEnvironment, timeout: 600_000 },
  );
  const transactions = async () => Number((await inside(server, sums)).split(" ")[4]);
  const more = async (than: number) => until("transactions", async () => (await transactions()) > than + 100);
  await more(0);
  await gantry("volume", "snapshot", "create", "pg", "first");
  await more(await transactions());
  const directory = join(target().root, "archives");
  mkdirSync(directory);
  await gantry("volume", "export", "-o", directory, "pg");
  await more(await transactions());
  registries = new TestRegistries(target());
  await registries.start("gantry registry", registryAddress);
  await gantry("volume", "push", "pg", `${registryAddress}/pg:1`);
  await more(await transactions());
  const end = await transactions();
  await docker("kill", server);
  await load;
  await docker("rm", server);

  await gantry("volume", "restore", "first", "restored");
  const [archive] = new Bun.Glob("pg-*.tar").scanSync({ cwd: directory });
  await gantry("volume", "import", join(directory, archive as string), "imported");
  await gantry("volume", "pull", `${registryAddress}/pg:1`, "pulled");
  const counts = [];
  for (const volume of ["restored", "imported", "pulled", "pg"]) counts.push(await expectConsistent(volume));
  expect(counts).toEqual([...counts].sort((a, b) => a - b));
  expect(counts[0]).toBeGreaterThan(100);
  expect(counts[3]).toBeGreaterThanOrEqual(end);

  await gantry("volume", "restore", "first");
  expect(await expectConsistent("pg")).toBe(counts[0] as number);
});
