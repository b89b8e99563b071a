import { expect, test } from "bun:test";
import { join } from "node:path";

test("a signal in place of an answer ends the line and the program, with 0", async () => {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "../../main.ts"), "volume", "prune"], {
    env: { PATH: process.env["PATH"] ?? "", DOCKER_CONFIG: "/nothere", DOCKER_HOST: "unix:///nothere" },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  let text = "";
  for await (const chunk of child.stdout) {
    text += Buffer.from(chunk).toString();
    if (text.endsWith("[y/N] ")) child.kill("SIGINT");
  }
  expect(text).toEndWith("[y/N] \n");
  expect(await child.exited).toBe(0);
});
