import { expect, test } from "bun:test";
import { allOrFirst } from "./all-or-first.ts";

const never = new AbortController().signal;

test("all results, in the order of the works", async () => {
  const late = Promise.withResolvers<string>();
  const both = allOrFirst([() => late.promise, async () => "b"], never);
  late.resolve("a");
  expect(await both).toEqual(["a", "b"]);
});

test("the first failure stops the others, and is told when they have ended", async () => {
  const said: string[] = [];
  const waiting = (signal: AbortSignal) =>
    new Promise<string>((_, reject) => {
      signal.addEventListener("abort", () => {
        said.push("stopped");
        reject(new Error("canceled"));
      });
    });
  const all = allOrFirst([waiting, () => Promise.reject(new Error("mine"))], never);
  await expect(all).rejects.toThrow("mine");
  expect(said).toEqual(["stopped"]);
});
