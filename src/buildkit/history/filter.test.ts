import { expect, test } from "bun:test";
import type { BuildHistoryRecord } from "../../buildkit-api/protocol/messages.ts";
import { historyFilter } from "./filter.ts";

const now = Date.parse("2026-01-01T12:00:00Z");
const at = (text: string) => ({ seconds: Date.parse(text) / 1000, nanos: 0 });

const record = (more: Partial<BuildHistoryRecord> = {}) =>
  ({
    Ref: "abc",
    FrontendAttrs: { "vcs:source": "https://example.org/app.git" },
    CreatedAt: at("2026-01-01T11:00:00Z"),
    CompletedAt: at("2026-01-01T11:01:00Z"),
    ...more,
  }) as BuildHistoryRecord;

test("by reference, repository and status", () => {
  const passes = (filter: string, more?: Partial<BuildHistoryRecord>) => historyFilter([filter], now)(record(more));
  expect(passes("ref~=b")).toBe(true);
  expect(passes("ref==b")).toBe(false);
  expect(passes("ref!=abc")).toBe(false);
  expect(passes("repository~=example.org,status==completed")).toBe(true);
  expect(passes("status==running", { CompletedAt: null })).toBe(true);
  expect(passes("status==error", { error: { code: 2, message: "", details: [] } })).toBe(true);
  expect(passes("status==canceled", { error: { code: 1, message: "", details: [] } })).toBe(true);
});

test("by times, absolute or before now, and durations", () => {
  const passes = (filter: string) => historyFilter([filter], now)(record());
  expect(passes("startedAt>=2026-01-01T11:00:00Z")).toBe(true);
  expect(passes("startedAt>30m")).toBe(false);
  expect(passes("completedAt>2h")).toBe(true);
  expect(passes("duration>=1m")).toBe(true);
  expect(passes("duration<10s")).toBe(false);
});

test("several lines are alternatives; what cannot be read is refused", () => {
  expect(historyFilter([])(record())).toBe(true);
  expect(historyFilter(["ref==x", "ref==abc"])(record())).toBe(true);
  expect(() => historyFilter(["size>3"])).toThrow("unsupported filter");
  expect(() => historyFilter(["startedAt==now"])).toThrow("invalid time");
});
