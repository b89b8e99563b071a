/** The bash script in a real bash, with a stand-in for the program. */
import { expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CliContext } from "../context.ts";
import { parseFlags } from "../flags.ts";
import { completionCommand } from "./scripts.ts";

const choice = { hosts: [], context: "", tls: false, tlsVerify: false, tlsCa: "", tlsCert: "", tlsKey: "" };

async function script(shell: string): Promise<string> {
  const config = { directory: "/nonexistent", values: {} };
  const context = new CliContext({ program: "gantry", config, choice, env: {}, debug: false });
  let text = "";
  context.stdout.write = (part) => {
    text += part;
  };
  await completionCommand(shell).run(context, parseFlags({}, [], { interspersed: false }).flags, []);
  return text;
}

test("bash gets the candidates, cut where bash breaks words", async () => {
  const directory = mkdtempSync(join(tmpdir(), "gantry-completion-"));
  try {
    const program = join(directory, "gantry");
    // Shows the words it was given, then candidates.
    writeFileSync(
      program,
      `#!/bin/sh\nshift 2\necho "$*" >>${directory}/seen\nprintf 'debian:12\\tan image\\ndebian:13\\n'\n`,
    );
    chmodSync(program, 0o755);
    writeFileSync(join(directory, "script"), await script("bash"));
    const run = (line: string) =>
      Bun.spawnSync(
        [
          "bash",
          "-c",
          `source ${directory}/script; COMP_LINE="$0"; COMP_POINT=\${#0}; __gantry_complete; echo "\${COMPREPLY[*]}"`,
          line,
        ],
        { env: { PATH: `${directory}:${process.env["PATH"]}` } },
      ).stdout.toString();
    expect(run("gantry run deb")).toBe("debian:12 debian:13\n");
    expect(run("gantry run debian:1")).toBe("12 13\n");
    expect(run("gantry run ")).toBe("debian:12 debian:13\n");
    expect(await Bun.file(join(directory, "seen")).text()).toBe("run deb\nrun debian:1\nrun \n");
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test("every shell has a script that calls back into the program", async () => {
  for (const shell of ["bash", "zsh", "fish"]) expect(await script(shell)).toContain("__complete --");
});
