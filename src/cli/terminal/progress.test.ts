import { expect, test } from "bun:test";
import type { ProgressMessage } from "../../api/system.ts";
import { progressText, showProgress } from "./progress.ts";

async function shown(messages: (ProgressMessage | string)[], columns?: number): Promise<string> {
  let text = "";
  const lines = messages.map((message) => (typeof message === "string" ? message : JSON.stringify(message)));
  await showProgress(new Blob([`${lines.join("\r\n")}\r\n`]).stream(), {
    write: (part) => {
      text += part;
    },
    columns,
  });
  return text;
}

test("elsewhere than on a terminal, progress lines are left out", async () => {
  expect(
    await shown([
      { status: "Pulling from x", id: "latest" },
      { status: "Downloading", id: "aa", progressDetail: { current: 5, total: 10 } },
      { status: "Pull complete", id: "aa", progressDetail: {} },
      { stream: "Loaded image: x:latest\n" },
    ]),
  ).toBe("latest: Pulling from x\naa: Pull complete\nLoaded image: x:latest\n");
});

test("on a terminal each id has a line of its own, rewritten in place", async () => {
  expect(
    await shown(
      [
        { status: "Waiting", id: "aa", progressDetail: {} },
        { status: "Waiting", id: "bb", progressDetail: {} },
        { status: "Downloading", id: "aa", progressDetail: { current: 1000, total: 2000 } },
      ],
      80,
    ),
  ).toBe(
    "\n\x1b[1A\x1b[2K\raa: Waiting \r\x1b[1B" +
      "\n\x1b[1A\x1b[2K\rbb: Waiting \r\x1b[1B" +
      "\x1b[2A\x1b[2K\raa: Downloading      1kB/2kB\r\x1b[2B",
  );
});

test("an error in the stream ends it with the daemon's message", async () => {
  await expect(shown([{ error: "short", errorDetail: { message: "no such thing" } }])).rejects.toThrow("no such thing");
});

test("aux messages go to the callback and are not shown", async () => {
  const seen: unknown[] = [];
  const stream = new Blob(['{"aux":{"ID":"sha256:1"}}\n{"status":"ok"}\n']).stream();
  let text = "";
  await showProgress(
    stream,
    {
      write: (part) => {
        text += part;
      },
      columns: undefined,
    },
    (aux) => seen.push(aux),
  );
  expect([seen, text]).toEqual([[{ ID: "sha256:1" }], "ok\n"]);
});

test("bars need a wide terminal; units, unknown totals and the time left are shown as docker does", () => {
  expect(progressText({ current: 50, total: 100 }, 120)).toBe(`[${"=".repeat(25)}>${" ".repeat(25)}]      50B/100B`);
  expect(progressText({ current: 50, total: 100 }, 80)).toBe("     50B/100B");
  expect(progressText({ current: 3, total: 4, units: "files" }, 80)).toBe("3/4 files");
  expect(progressText({ current: 1500 }, 80)).toBe("   1.5kB");
  expect(progressText({}, 80)).toBe("");
  expect(progressText({ current: 20, total: 10 }, 80)).toBe("     20B");
  expect(progressText({ current: 10, total: 40, start: 100 }, 80, 120_000)).toBe("     10B/40B 1m0s");
});
