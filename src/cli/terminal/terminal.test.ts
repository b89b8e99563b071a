import { afterAll, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Output } from "./terminal.ts";

const folder = mkdtempSync(join(tmpdir(), "gantry-terminal-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const fileUrl = new URL("./terminal.ts", import.meta.url).href;

/** Runs a script that writes to its stdout, in a process of its own. */
function writer(script: string) {
  return Bun.spawn([process.execPath, "-e", writerCode(script)], { stdout: "pipe", stderr: "pipe", stdin: "ignore" });
}

function writerCode(script: string): string {
  return `const { Output } = await import("${fileUrl}"); const out = new Output(1); ${script}; process.exit(0);`;
}

test("pieces go to a file in order, at the position it is shared at", async () => {
  const path = join(folder, "file");
  const fd = openSync(path, "w");
  const output = new Output(fd);
  output.write("head ");
  await output.send(Buffer.from("one "), Buffer.from(""), Buffer.from("two "));
  output.write("tail");
  closeSync(fd);
  expect(readFileSync(path, "utf8")).toBe("head one two tail");
});

test("a slow reader gets everything while the event loop goes on", async () => {
  const code = writerCode(
    "let ticks = 0; const timer = setInterval(() => ticks++, 5); const mib = Buffer.alloc(1 << 20, 97);" +
      "for (let n = 0; n < 4; n++) await out.send(mib, mib); clearInterval(timer); console.error(ticks > 10 ? 'alive' : 'stuck')",
  );
  // Not Bun's own reader, which reads ahead.
  const child = Bun.spawn(["sh", "-c", '"$0" -e "$1" | { sleep 3; wc -c; }', process.execPath, code], {
    stderr: "pipe",
  });
  expect((await new Response(child.stdout).text()).trim()).toBe(String(8 << 20));
  expect((await new Response(child.stderr).text()).trim()).toBe("alive");
});

test("a reader that leaves ends the program as SIGPIPE would", async () => {
  for (const call of ["await out.send(mib)", "out.write(mib)"]) {
    const child = writer(`const mib = Buffer.alloc(1 << 20); for (;;) { ${call}; }`);
    const reader = (child.stdout as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    await reader.cancel();
    expect(await child.exited).toBe(141);
    expect(await new Response(child.stderr).text()).toBe("");
  }
});

test("files and pipes are no terminals", () => {
  const fd = openSync("/dev/null", "w");
  expect(new Output(fd).isTerminal).toBe(false);
  expect(new Output(fd).size()).toBeUndefined();
  closeSync(fd);
});
