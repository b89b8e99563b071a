/**
 * Does all works at once. Rejects with what failed first in time, once the others, whose signal is aborted then, have ended too: nothing
 * goes on behind the caller's back.
 */
export async function allOrFirst<T>(
  works: readonly ((signal: AbortSignal) => Promise<T>)[],
  signal: AbortSignal,
): Promise<T[]> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  let first: { error: unknown } | undefined;
  const results = await Promise.all(
    works.map(async (work) => {
      try {
        return [await work(either)];
      } catch (error) {
        first ??= { error };
        failed.abort();
        return [];
      }
    }),
  );
  if (first) throw first.error;
  return results.flat();
}
