/** One JSON line per request. Lines are gathered and written together, because a write per request costs more than serving a manifest. */
const flushMillis = 200;
const flushBytes = 64 << 10;

export interface AccessEntry {
  readonly time: string;
  readonly remote: string;
  readonly user?: string | undefined;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** Milliseconds to the response's headers. */
  readonly millis: number;
  /** Of the response's body; undefined when it is not known ahead. */
  readonly bytes?: number | undefined;
  readonly agent?: string | undefined;
}

export class AccessLog {
  private readonly write: (text: string) => unknown;
  private pending = "";
  private timer: Timer | undefined;

  constructor(write: (text: string) => unknown = (text) => process.stdout.write(text)) {
    this.write = write;
  }

  add(entry: AccessEntry): void {
    this.pending += `${JSON.stringify(entry)}\n`;
    if (this.pending.length >= flushBytes) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), flushMillis);
  }

  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const text = this.pending;
    this.pending = "";
    if (text !== "") this.write(text);
  }
}
