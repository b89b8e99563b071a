/** One fair lock per key, made on demand and forgotten when nobody holds or awaits it. */
import { Mutex } from "./mutex.ts";

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
