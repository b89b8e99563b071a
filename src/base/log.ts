/** Structured log lines on stderr, `time level message key=value …` or one JSON object each. Log once, at the edge; library code throws instead. */
export type LogLevel = "debug" | "info" | "warn" | "error" | "fatal";

export const logFormats = ["text", "json"] as const;
export type LogFormat = (typeof logFormats)[number];

const ranks: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3, fatal: 4 };

export type LogFields = Record<string, unknown>;

export class Logger {
  /** Shared with the loggers made by `with`, so that a change of level reaches them all. */
  private readonly shared: { level: LogLevel; format: LogFormat; write: (line: string) => unknown };
  private readonly fields: LogFields;

  constructor(
    level: LogLevel = "info",
    write: (line: string) => unknown = (line) => process.stderr.write(line),
    fields: LogFields = {},
  ) {
    this.shared = { level, format: "text", write };
    this.fields = fields;
  }

  get level(): LogLevel {
    return this.shared.level;
  }

  setLevel(level: LogLevel): void {
    this.shared.level = level;
  }

  setFormat(format: LogFormat): void {
    this.shared.format = format;
  }

  /** A logger that adds these fields to each line. */
  with(fields: LogFields): Logger {
    const child = new Logger(this.level, this.shared.write, { ...this.fields, ...fields });
    return Object.assign(child, { shared: this.shared });
  }

  debug(message: string, fields?: LogFields): void {
    this.emit("debug", message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.emit("info", message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.emit("warn", message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.emit("error", message, fields);
  }

  private emit(level: LogLevel, message: string, fields: LogFields = {}): void {
    if (ranks[level] < ranks[this.level]) return;
    const all = { ...this.fields, ...fields };
    this.shared.write(`${lineIn[this.shared.format](new Date().toISOString(), level, message, all)}\n`);
  }
}

const lineIn: Record<LogFormat, (time: string, level: LogLevel, message: string, fields: LogFields) => string> = {
  text: (time, level, message, fields) => {
    const pairs = Object.entries(fields).map(([key, value]) => ` ${key}=${format(value)}`);
    return `time="${time}" level=${level} msg=${JSON.stringify(message)}${pairs.join("")}`;
  },
  json: (time, level, message, fields) => {
    const shown = Object.entries(fields).map(([key, value]) => [
      key,
      value instanceof Error ? (value.stack ?? value.message) : value,
    ]);
    return JSON.stringify({ ...Object.fromEntries(shown), level, msg: message, time });
  },
};

function format(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.stack ?? value.message);
  return JSON.stringify(value) ?? "undefined";
}
