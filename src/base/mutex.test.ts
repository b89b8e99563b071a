import { expect, test } from "bun:test";
import { Mutex } from "./mutex.ts";

test("holders run in order and a failure does not stop the next", async () => {
  const mutex = new Mutex();
  const seen: string[] = [];
  const first = mutex.run(async () => {
    await Bun.sleep(5);
    seen.push("first");
    throw new Error("broken");
  });
  const second = mutex.run(async () => seen.push("second"));
  await expect(first).rejects.toThrow("broken");
  await second;
  expect(seen).toEqual(["first", "second"]);
});
