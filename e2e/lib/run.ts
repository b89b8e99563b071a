/** Runs a program to its end and keeps what it said. */

export interface Outcome {
  stdout: string;
  stderr: string;
  code: number;
}

export interface RunOptions {
  env?: Record<string, string | undefined>;
  cwd?: string;
  /** Standard input; without it the program reads end of file at once. */
  input?: string | Uint8Array | Blob;
  /** After this time the program is killed, in ms. Default: two minutes. */
  timeout?: number;
}

/** Never throws for an exit code: the caller judges it. */
export async function run(argv: string[], options: RunOptions = {}): Promise<Outcome> {
  const { env = process.env, input, cwd = process.cwd(), timeout = 120_000 } = options;
  const stdin = input === undefined ? "ignore" : typeof input === "string" ? new Blob([input]) : input;
  const child = Bun.spawn(argv, { env, cwd, stdin, stdout: "pipe", stderr: "pipe", timeout, killSignal: "SIGKILL" });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { stdout, stderr, code };
}

/** As `run`, but an exit code other than 0 is an error. Returns standard output without its last newline. */
export async function must(argv: string[], options: RunOptions = {}): Promise<string> {
  const { stdout, stderr, code } = await run(argv, options);
  if (code !== 0) throw new Error(`${argv.join(" ")}: exit code ${code}\n${stdout}${stderr}`);
  return stdout.replace(/\n$/, "");
}

/** Calls `probe` until it returns a value, and returns that. Throws with `what` after `timeout` ms. */
export async function until<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  timeout = 30_000,
): Promise<T> {
  const end = Date.now() + timeout;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > end) throw new Error(`waited ${timeout} ms for ${what}`);
    await Bun.sleep(50);
  }
}
