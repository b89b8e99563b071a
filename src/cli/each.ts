/** Commands that take several names do each of them, at most 50 at once, and then report all failures together. */
import { CliError } from "./command.ts";
import { describeError } from "./errors.ts";

/**
 * Runs `act` for every name, up to `parallel` at a time, starting in order. Returns exit code 0; throws a CliError with the joined messages of those
 * that failed.
 */
export async function each(
  names: readonly string[],
  act: (name: string) => Promise<void>,
  parallel = 50,
): Promise<number> {
  const failures: (string | undefined)[] = names.map(() => undefined);
  let next = 0;
  const worker = async () => {
    while (next < names.length) {
      const index = next++;
      try {
        await act(names[index] ?? "");
      } catch (error) {
        failures[index] = describeError(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, names.length) }, worker));
  const messages = failures.filter((message) => message !== undefined);
  if (messages.length > 0) throw new CliError(messages.join("\n"));
  return 0;
}
