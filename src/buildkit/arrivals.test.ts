import { expect, test } from "bun:test";
import { notFound } from "../base/errors.ts";
import { Arrivals } from "./arrivals.ts";

const missing = () => notFound("it did not come");

test("whoever is first waits, everybody gets it, and what is gone is gone", async () => {
  const arrivals = new Arrivals<object>();
  const item = {};
  const waiting = [arrivals.get("a", 1000, missing), arrivals.get("a", 1000, missing)];
  arrivals.add("a", item);
  expect(await Promise.all(waiting)).toEqual([item, item]);
  expect(await arrivals.get("a", 0, missing)).toBe(item);
  arrivals.remove("a", {});
  expect(arrivals.find("a")).toBe(item);
  arrivals.remove("a", item);
  await expect(arrivals.get("a", 10, missing)).rejects.toThrow("it did not come");
});

test("one who gives up does not take the others along", async () => {
  const arrivals = new Arrivals<number>();
  const patient = arrivals.get("a", 1000, missing);
  await expect(arrivals.get("a", 5, missing)).rejects.toThrow("it did not come");
  arrivals.add("a", 7);
  expect(await patient).toBe(7);
});
