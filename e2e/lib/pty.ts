/** A program on a terminal of its own, driven as a person would: type, look, resize. */

export class PtySession {
  private seen = "";
  private readonly decoder = new TextDecoder();
  private readonly terminal: Bun.Terminal;
  private readonly child: Bun.Subprocess;

  constructor(argv: string[], env: Record<string, string | undefined>, size = { cols: 80, rows: 24 }) {
    this.terminal = new Bun.Terminal({
      ...size,
      data: (_, bytes) => {
        this.seen += this.decoder.decode(bytes, { stream: true });
      },
    });
    // `setsid` makes the terminal the controlling one: without that, no SIGWINCH and no SIGINT.
    this.child = Bun.spawn(["setsid", "--ctty", ...argv], { env, terminal: this.terminal });
  }

  /** All that was shown so far and not yet consumed by `expect`. */
  get screen(): string {
    return this.seen;
  }

  type(text: string): void {
    this.terminal.write(text);
  }

  resize(cols: number, rows: number): void {
    this.terminal.resize(cols, rows);
  }

  /** Waits until `pattern` is shown, consumes up to its end and returns what was consumed. */
  async expect(pattern: RegExp | string, timeout = 30_000): Promise<string> {
    const end = Date.now() + timeout;
    for (;;) {
      const found = this.find(pattern);
      if (found !== undefined) return found;
      if (Date.now() > end) throw new Error(`waited ${timeout} ms for ${pattern}; the terminal shows:\n${this.seen}`);
      await Bun.sleep(20);
    }
  }

  private find(pattern: RegExp | string): string | undefined {
    const start = typeof pattern === "string" ? this.seen.indexOf(pattern) : this.seen.search(pattern);
    if (start < 0) return undefined;
    const length = typeof pattern === "string" ? pattern.length : (this.seen.match(pattern)?.[0].length ?? 0);
    const consumed = this.seen.slice(0, start + length);
    this.seen = this.seen.slice(start + length);
    return consumed;
  }

  /** The exit code. */
  async exit(timeout = 30_000): Promise<number> {
    const timer = setTimeout(() => this.child.kill("SIGKILL"), timeout);
    const code = await this.child.exited;
    clearTimeout(timer);
    this.terminal.close();
    return code;
  }

  kill(signal: NodeJS.Signals = "SIGKILL"): void {
    this.child.kill(signal);
  }
}
