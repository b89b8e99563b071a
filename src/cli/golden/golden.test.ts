/**
 * The same command lines against one recorded daemon: what this CLI prints and how it exits must be what docker's CLI did. Docker's side is in
 * expected.json; `bun src/cli/golden/record.ts` records it anew with the docker CLI at hand.
 */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandLines } from "./command-lines.ts";
import { mark } from "./driver.ts";
import { goldenEnv, type Outcome, serveRecorded, steady } from "./recorded-daemon.ts";

const expected: { line: string[]; outcome: Outcome }[] = await Bun.file(join(import.meta.dir, "expected.json")).json();
const ours = await runAll();

async function runAll(): Promise<Outcome[]> {
  const directory = mkdtempSync(join(tmpdir(), "gantry-golden-"));
  const socket = join(directory, "api.sock");
  const server = serveRecorded(socket);
  try {
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "driver.ts")], {
      env: goldenEnv(socket, directory),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    await child.exited;
    const [out, err] = [stdout.split(mark), stderr.split(mark)];
    return commandLines.map((_, i) => ({
      code: Number(out[2 * i + 1]),
      stdout: out[2 * i] ?? "",
      stderr: err[2 * i] ?? "",
    }));
  } finally {
    await server.stop(true);
    rmSync(directory, { recursive: true, force: true });
  }
}

test("every command line has a recorded outcome", () => {
  expect(expected.map(({ line }) => line)).toEqual(commandLines);
});

for (const [index, line] of commandLines.entries()) {
  test(line.join(" "), () => {
    expect(steady(ours[index] as Outcome)).toEqual(expected[index]?.outcome as Outcome);
  });
}
