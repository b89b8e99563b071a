/** `docker top`: the host's `ps`, cut down to the container's processes. */
import type { ContainerTop } from "../../../api/containers.ts";
import { internal, invalidArgument } from "../../../base/errors.ts";

/** Runs `ps` with the user's arguments. Rejects `invalid-argument` when ps refuses them or its output has no PID column. */
export async function topOf(pids: readonly number[], psArgs: string): Promise<ContainerTop> {
  const args = splitArguments(psArgs === "" ? "-ef" : psArgs);
  const child = Bun.spawn(["ps", ...args], { stdout: "pipe", stderr: "pipe", stdin: "ignore" });
  const [output, complaint, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw invalidArgument(`ps: ${complaint.trim().split("\n")[0] || `exit status ${code}`}`);
  return filterPs(output, new Set(pids));
}

/** Docker splits on spaces; `-o pid,cmd` and `-o pid -o cmd` both work. */
function splitArguments(text: string): string[] {
  return text.split(/\s+/).filter(Boolean);
}

export function filterPs(output: string, pids: ReadonlySet<number>): ContainerTop {
  const [header = "", ...rows] = output.split("\n").filter((line) => line.trim() !== "");
  const titles = header.trim().split(/\s+/);
  const pidColumn = titles.indexOf("PID");
  if (pidColumn < 0) throw internal("Couldn't find PID field in ps output");
  const processes = rows.flatMap((row) => {
    const fields = row.trim().split(/\s+/);
    if (!pids.has(Number(fields[pidColumn]))) return [];
    // The last column may hold spaces: everything that is left belongs to it.
    return [[...fields.slice(0, titles.length - 1), fields.slice(titles.length - 1).join(" ")]];
  });
  return { Titles: titles, Processes: processes };
}
