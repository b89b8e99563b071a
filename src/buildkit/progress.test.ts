import { expect, test } from "bun:test";
import { Progress } from "./progress.ts";

const { signal } = new AbortController();

test("who follows late hears everything, who follows early each thing as it is said, until the end", async () => {
  const progress = new Progress();
  const names = async () => {
    const heard: string[] = [];
    for await (const { vertexes } of progress.follow(signal)) heard.push(vertexes?.[0]?.name ?? "");
    return heard;
  };
  const early = names();
  progress.vertex("one").announce();
  await Bun.sleep(1);
  progress.vertex("two").announce();
  progress.end();
  expect(await early).toEqual(["one", "two"]);
  expect(await names()).toEqual(["one", "two"]);
});

test("steps of one name are told apart", () => {
  const progress = new Progress();
  expect(progress.vertex("same").digest).not.toBe(progress.vertex("same").digest);
});

test("a step that never stops talking does not fill the memory", async () => {
  const progress = new Progress();
  const vertex = progress.vertex("loud");
  const piece = Buffer.alloc(100_000, "x");
  for (let count = 0; count < 100; count++) vertex.log("stdout", piece);
  progress.end();
  let size = 0;
  let last = "";
  for await (const { logs } of progress.follow(signal)) {
    const text = Buffer.from(logs?.[0]?.msg ?? []).toString();
    size += text.length;
    last = text;
  }
  expect(last).toEndWith("\n[output clipped, log limit 2MiB reached]\n");
  expect(size).toBeLessThan((2 << 20) + 100);
});
