/** Commands that take several names do all of them at once (50 at most), print in the order given, and then report all failures together. */
import { CliError } from "./command.ts";
import { describeError } from "./errors.ts";

/**
 * Runs `act` for every name, up to `parallel` at a time, starting in order. What it returns is printed in the order of the names, each as
 * soon as those before it are done. Returns exit code 0; throws a CliError with the joined messages of those that failed.
 */
export async function each(
  names: readonly string[],
  act: (name: string) => Promise<string | undefined>,
  print: (line: string) => void,
  parallel = 50,
): Promise<number> {
  type Outcome = { line?: string | undefined; failure?: string };
  const outcomes: (Outcome | undefined)[] = names.map(() => undefined);
  const failures: string[] = [];
  let next = 0;
  let shown = 0;
  const show = () => {
    for (let outcome = outcomes[shown]; outcome; outcome = outcomes[++shown]) {
      if (outcome.line !== undefined) print(outcome.line);
      if (outcome.failure !== undefined) failures.push(outcome.failure);
    }
  };
  const worker = async () => {
    while (next < names.length) {
      const index = next++;
      try {
        outcomes[index] = { line: await act(names[index] ?? "") };
      } catch (error) {
        outcomes[index] = { failure: describeError(error) };
      }
      show();
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, names.length) }, worker));
  if (failures.length > 0) throw new CliError(failures.join("\n"));
  return 0;
}
