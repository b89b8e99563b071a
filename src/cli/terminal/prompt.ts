/** The question before something destructive. */
import type { CliContext } from "../context.ts";
import { onTermination } from "./termination.ts";

/** Asks and reads one line; only `y` or `Y` is yes. A signal instead of an answer ends the program as a no does: with 0. */
export async function confirm(context: CliContext, message: string): Promise<boolean> {
  using _leaving = onTermination(() => {
    context.stdout.print("");
    process.exit(0);
  });
  context.stdout.write(`${message} [y/N] `);
  const answer = await context.stdin.line();
  return answer?.trim().toLowerCase() === "y";
}

/** `WARNING! …` with docker's question below. */
export function pruneQuestion(warning: string): string {
  return `${warning}\nAre you sure you want to continue?`;
}
