/**
 * At most so many pieces of work at once; the others wait in order. The number is asked for whenever one begins or ends. Where there is
 * room, work begins before the call returns: so its caller can tell whether it waits.
 */
export function limiter(atOnce: () => number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  const admit = () => {
    while (waiting.length > 0 && running < atOnce()) {
      running++;
      waiting.shift()?.();
    }
  };
  return async (work) => {
    if (waiting.length === 0 && running < atOnce()) running++;
    else {
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        admit();
      });
    }
    try {
      return await work();
    } finally {
      running--;
      admit();
    }
  };
}
