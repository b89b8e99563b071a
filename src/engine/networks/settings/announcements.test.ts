import { expect, test } from "bun:test";
import { announcementsOf } from "./announcements.ts";

const [count, interval] = ["com.docker.network.advertise_addr_nmsgs", "com.docker.network.advertise_addr_ms"] as const;

test("three, a second apart, where nothing else is asked for", () => {
  expect(announcementsOf({})).toEqual({ count: 3, intervalMillis: 1000 });
  expect(announcementsOf({ [count]: "0", [interval]: "100" })).toEqual({ count: 0, intervalMillis: 100 });
});

test.each([
  [{ [interval]: "99" }, `${interval} must be in the range 100 to 2000`],
  [{ [interval]: "2001" }, `${interval} must be in the range 100 to 2000`],
  [{ [interval]: "nonsense" }, `value for option ${interval} "nonsense" must be integer milliseconds`],
  [{ [count]: "-1" }, `${count} must be in the range 0 to 3`],
  [
    { [count]: "4", [interval]: "" },
    `${count} must be in the range 0 to 3\nvalue for option ${interval} "" must be integer milliseconds`,
  ],
])("%o", (options, message) => {
  expect(() => announcementsOf(options as unknown as Record<string, string>)).toThrow(message);
});
