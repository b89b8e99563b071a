import { expect, test } from "bun:test";
import { Logger } from "./log.ts";

test("lines are text or JSON, with the fields of both loggers, and errors with their stack", () => {
  const lines: string[] = [];
  const logger = new Logger("info", (line) => void lines.push(line));
  const child = logger.with({ part: "net" });
  child.debug("unseen");
  child.info("up", { port: 80 });
  logger.setFormat("json");
  child.error("down", { error: new Error("why") });
  expect(lines[0]).toMatch(/^time="[^"]+Z" level=info msg="up" part="net" port=80\n$/);
  expect(JSON.parse(lines[1] ?? "")).toMatchObject({
    level: "error",
    msg: "down",
    part: "net",
    error: expect.stringContaining("Error: why"),
    time: expect.stringMatching(/Z$/),
  });
  expect(lines).toHaveLength(2);
});
