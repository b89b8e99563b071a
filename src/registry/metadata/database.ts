/**
 * What the indexes need of a database. They are written once, as generators that yield statements and are given rows back: SQLite runs
 * such work to its end without letting go of the event loop, PostgreSQL waits for each answer. So what is one step for the one is one
 * transaction for the other, and no query is written twice.
 */

export type Value = string | number | null | Uint8Array;

export interface Statement {
  /** With `?` for each value; in the words that SQLite and PostgreSQL share. */
  readonly sql: string;
  readonly values: readonly Value[];
}

export interface Answer {
  readonly rows: readonly unknown[];
  /** Rows inserted, updated or deleted. */
  readonly changes: number;
}

export type Work<T> = Generator<Statement, T, Answer>;

/** A value that may be there already: awaiting it then costs no turn of the event loop worth mentioning. */
export type Awaitable<T> = T | Promise<T>;

export interface Database {
  /** Whether other processes work on the same data. */
  readonly shared: boolean;
  /** Work of one statement, or of several that may each stand alone. */
  run<T>(work: Work<T>): Awaitable<T>;
  /** All of the work or, when it throws, none. It may be begun again, so it changes nothing but the database. */
  transaction<T>(work: () => Work<T>): Awaitable<T>;
  /**
   * A transaction that is on the disk when it is over, and with it all earlier ones: what a client is told after this survives a power
   * failure. The others survive only the death of the process, which is enough for what is worthless without a manifest.
   */
  durable<T>(work: () => Work<T>): Awaitable<T>;
  /** Runs `work` when all earlier work of the same key is done, in whatever process. Not re-entrant. */
  lock<T>(key: string, work: () => Promise<T>): Promise<T>;
  close(): Awaitable<void>;
}

export function* all<T>(sql: string, ...values: Value[]): Work<T[]> {
  return (yield { sql, values }).rows as T[];
}

export function* get<T>(sql: string, ...values: Value[]): Work<T | undefined> {
  return (yield { sql, values }).rows[0] as T | undefined;
}

/** Returns the number of rows changed. */
export function* change(sql: string, ...values: Value[]): Work<number> {
  return (yield { sql, values }).changes;
}

const groupSize = 500;

/** Runs `each` for groups of values that fit into one statement, with the placeholders for them. */
export function* inGroups<T>(
  values: readonly string[],
  each: (placeholders: string, group: readonly string[]) => Work<T[]>,
): Work<T[]> {
  const found: T[] = [];
  for (let at = 0; at < values.length; at += groupSize) {
    const group = values.slice(at, at + groupSize);
    found.push(...(yield* each(group.map(() => "?").join(", "), group)));
  }
  return found;
}
