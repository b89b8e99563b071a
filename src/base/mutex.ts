/** A fair asynchronous lock: holders run one after another, in the order in which they asked. */
export class Mutex {
  private tail: Promise<unknown> = Promise.resolve();

  /** Runs `work` when all earlier holders are done, whether they failed or not. Not re-entrant. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.tail.then(work, work);
    this.tail = result.catch(() => undefined);
    return result;
  }
}
