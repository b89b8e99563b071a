import { expect, test } from "bun:test";
import type { HijackedStream } from "../../api/client-hijack.ts";
import type { CliContext } from "../context.ts";
import { pumpStreams } from "./streams.ts";

test("with input alone, the process's end ends it: a terminal's input never does", async () => {
  let closed = false;
  const connection = { close: () => (closed = true) } as unknown as HijackedStream;
  const stdin = {
    isTerminal: false,
    async *stream() {
      await new Promise(() => {});
    },
  };
  const streams = { stdin: true, stdout: false, stderr: false, tty: false, detachKeys: "" };
  const exit = Promise.withResolvers<number>();
  const pumping = pumpStreams({ stdin } as unknown as CliContext, connection, streams, exit.promise);
  exit.resolve(7);
  expect(await pumping).toBe("closed");
  expect(closed).toBe(true);
});
