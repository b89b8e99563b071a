import { expect, test } from "bun:test";
import { limiter } from "./limit.ts";

test("no more than so many run at once, in order, and failures give their place on", async () => {
  const limit = limiter(2);
  const log: string[] = [];
  let running = 0;
  const work = (name: string, fails = false) =>
    limit(async () => {
      log.push(name);
      expect(++running).toBeLessThanOrEqual(2);
      await Bun.sleep(1);
      running--;
      if (fails) throw new Error(name);
    });
  const results = await Promise.allSettled([work("a"), work("b", true), work("c"), work("d")]);
  expect(results.map((result) => result.status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
  expect(log).toEqual(["a", "b", "c", "d"]);
});
