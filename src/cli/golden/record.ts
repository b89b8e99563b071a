/** Records expected.json with the docker CLI that is given, or found in PATH: `bun src/cli/golden/record.ts [DOCKER]`. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandLines } from "./command-lines.ts";
import { goldenEnv, type Outcome, serveRecorded, steady } from "./recorded-daemon.ts";

const docker = process.argv[2] ?? Bun.which("docker");
if (!docker) throw new Error("no docker CLI found");
const directory = mkdtempSync(join(tmpdir(), "gantry-golden-"));
const socket = join(directory, "api.sock");
const server = serveRecorded(socket);
const recorded: { line: string[]; outcome: Outcome }[] = [];
for (const line of commandLines) {
  const child = Bun.spawn([docker, ...line], {
    env: goldenEnv(socket, directory),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  recorded.push({ line, outcome: steady({ code: await child.exited, stdout, stderr }) });
}
await server.stop(true);
rmSync(directory, { recursive: true });
await Bun.write(join(import.meta.dir, "expected.json"), `${JSON.stringify(recorded, null, 1)}\n`);
