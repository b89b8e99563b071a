/** The question before something destructive. */
import type { CliContext } from "../context.ts";

/** Asks and reads one line; only `y` or `Y` is yes. */
export async function confirm(context: CliContext, message: string): Promise<boolean> {
  context.stdout.write(`${message} [y/N] `);
  const answer = await context.stdin.line();
  return answer?.trim().toLowerCase() === "y";
}

/** `WARNING! …` with docker's question below. */
export function pruneQuestion(warning: string): string {
  return `${warning}\nAre you sure you want to continue?`;
}
