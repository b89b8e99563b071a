/** SIGINT and SIGTERM in place of what they do by themselves. */

/** Calls `handle` at each of them, with how many have come, until disposed. */
export function onTermination(handle: (count: number) => void): Disposable {
  let count = 0;
  const onSignal = () => handle(++count);
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  return { [Symbol.dispose]: () => void process.off("SIGINT", onSignal).off("SIGTERM", onSignal) };
}
