import { expect, test } from "bun:test";
import { ApiError } from "../api/client-error.ts";
import { each } from "./each.ts";

test("prints in the order given, whatever is done first", async () => {
  const printed: string[] = [];
  const delays: Record<string, number> = { a: 20, b: 1, c: 10 };
  const act = async (name: string) => {
    await Bun.sleep(delays[name] ?? 0);
    return name;
  };
  expect(await each(["a", "b", "c"], act, (line) => printed.push(line))).toBe(0);
  expect(printed).toEqual(["a", "b", "c"]);
});

test("one failure stops no other; all failures are told together", async () => {
  const printed: string[] = [];
  const act = async (name: string) => {
    if (name !== "b") throw new ApiError(404, `No such container: ${name}`);
    return name;
  };
  await expect(each(["a", "b", "c"], act, (line) => printed.push(line))).rejects.toThrow(
    "Error response from daemon: No such container: a\nError response from daemon: No such container: c",
  );
  expect(printed).toEqual(["b"]);
});

test("no more than `parallel` at once", async () => {
  let running = 0;
  let most = 0;
  const act = async () => {
    most = Math.max(most, ++running);
    await Bun.sleep(1);
    running--;
    return undefined;
  };
  await each(["1", "2", "3", "4", "5"], act, () => {}, 2);
  expect(most).toBe(2);
});
