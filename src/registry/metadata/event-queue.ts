/** Notifications that wait for their delivery: they survive restarts, and of several instances one delivers each. */
import { type Awaitable, all, change, type Database } from "./database.ts";

export interface QueuedEvent {
  /** In the order of time. */
  readonly id: string;
  /** JSON. */
  readonly body: string;
  readonly attempts: number;
  /** Milliseconds since the epoch. */
  readonly due: number;
}

export class EventQueue {
  private readonly database: Database;
  private count = 0;

  constructor(database: Database) {
    this.database = database;
  }

  add(endpoint: string, body: string): Awaitable<unknown> {
    const now = Date.now();
    const place = String(this.count++ % 1_000_000).padStart(6, "0");
    const id = `${String(now).padStart(15, "0")}-${place}-${crypto.randomUUID().slice(0, 8)}`;
    return this.database.run(change("INSERT INTO events VALUES (?, ?, ?, 0, ?)", id, endpoint, body, now));
  }

  /** The oldest events of an endpoint, due or not. */
  oldest(endpoint: string, limit: number): Awaitable<QueuedEvent[]> {
    const sql = "SELECT id, body, attempts, due FROM events WHERE endpoint = ? ORDER BY id LIMIT ?";
    return this.database.run(all<QueuedEvent>(sql, endpoint, limit));
  }

  /** Puts an event off, if nobody else did meanwhile: whoever does it delivers it. */
  async claim({ id, due, attempts }: QueuedEvent, until: number): Promise<boolean> {
    const sql = "UPDATE events SET due = ?, attempts = ? WHERE id = ? AND due = ?";
    return (await this.database.run(change(sql, until, attempts + 1, id, due))) > 0;
  }

  putOff(id: string, until: number): Awaitable<unknown> {
    return this.database.run(change("UPDATE events SET due = ? WHERE id = ?", until, id));
  }

  remove(id: string): Awaitable<unknown> {
    return this.database.run(change("DELETE FROM events WHERE id = ?", id));
  }

  /** Forgets what waits for endpoints that are no more. */
  keepOnly(endpoints: readonly string[]): Awaitable<unknown> {
    const marks = endpoints.map(() => "?").join(", ");
    return this.database.run(change(`DELETE FROM events WHERE endpoint NOT IN (${marks || "''"})`, ...endpoints));
  }
}
