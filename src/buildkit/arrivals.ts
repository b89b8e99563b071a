/** What one connection brings and another one waits for, by key: they are opened at the same time, and either may be first. */
export class Arrivals<T> {
  private readonly here = new Map<string, T>();
  private readonly waiting = new Map<string, Set<(item: T) => void>>();

  add(key: string, item: T): void {
    this.here.set(key, item);
    for (const resolve of this.waiting.get(key) ?? []) resolve(item);
  }

  /** Nothing happens when another item has taken its place. */
  remove(key: string, item: T): void {
    if (this.here.get(key) === item) this.here.delete(key);
  }

  find(key: string): T | undefined {
    return this.here.get(key);
  }

  /** Rejects with `missing` when nothing comes for so long. */
  async get(key: string, patienceMillis: number, missing: () => Error): Promise<T> {
    const found = this.here.get(key);
    if (found !== undefined) return found;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const waiting = this.waiting.get(key) ?? new Set();
    this.waiting.set(key, waiting.add(resolve));
    const timer = setTimeout(() => reject(missing()), patienceMillis);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      waiting.delete(resolve);
      if (waiting.size === 0) this.waiting.delete(key);
    }
  }
}
