/** One fair lock per key, made on demand and forgotten when nobody holds or awaits it. */
<<<<<<<< HEAD:src/base/key-locks.ts
import { Mutex } from "./mutex.ts";
========
import { Mutex } from "../../base/mutex.ts";
>>>>>>>> 1bae98b (registry: tokens and rules, immutable tags, quotas, retention, webhooks, a pull-through cache, PostgreSQL for several instances; the conformance tests' questions as a suite):src/registry/content/key-locks.ts

export class KeyLocks {
  private readonly locks = new Map<string, { mutex: Mutex; users: number }>();

  /** Runs `work` when all earlier work of the same key is done. Not re-entrant. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const lock = this.locks.get(key) ?? { mutex: new Mutex(), users: 0 };
    this.locks.set(key, lock);
    lock.users++;
    try {
      return await lock.mutex.run(work);
    } finally {
      lock.users--;
      if (lock.users === 0) this.locks.delete(key);
    }
  }

  isHeld(key: string): boolean {
    return this.locks.has(key);
  }
}
