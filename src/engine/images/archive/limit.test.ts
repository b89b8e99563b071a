import { expect, test } from "bun:test";
import { limiter } from "./limit.ts";

test("no more than so many run at once, in order, and failures give their place on", async () => {
  const limit = limiter(() => 2);
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

test("work begins at once where there is room", () => {
  const limit = limiter(() => 1);
  const begun: string[] = [];
  for (const name of ["first", "second"]) void limit(async () => void begun.push(name));
  expect(begun).toEqual(["first"]);
});

test("the number may change while pieces of work wait", async () => {
  let most = 1;
  const limit = limiter(() => most);
  let running = 0;
  let widest = 0;
  const ends: (() => void)[] = [];
  const work = () =>
    limit(async () => {
      widest = Math.max(widest, ++running);
      await new Promise<void>((resolve) => ends.push(resolve));
      running--;
    });
  const all = [work(), work(), work(), work()];
  await Bun.sleep(0);
  expect(widest).toBe(1);
  most = 2;
  ends.shift()?.();
  await Bun.sleep(0);
  expect(running).toBe(2);
  most = 1;
  for (const end of ends.splice(0)) end();
  await Bun.sleep(0);
  expect([running, widest]).toEqual([1, 2]);
  ends.shift()?.();
  await Promise.all(all);
});
