/**
 * Filters of the history: one line of comma-separated tests, all of which must be true; of several lines, one. Source: moby/buildkit
 * solver/llbsolver/history.go, filterHistoryEvents; docker/buildx commands/history/utils.go.
 */
import { invalidArgument } from "../../base/errors.ts";
import { parseGoDuration } from "../../base/go-duration.ts";
import type { BuildHistoryRecord, Timestamp } from "../../buildkit-api/protocol/messages.ts";

type Test = (record: BuildHistoryRecord) => boolean;

/** Throws `invalid-argument` for what cannot be read. */
export function historyFilter(lines: readonly string[], now = Date.now()): Test {
  const alternatives = lines.filter((line) => line !== "").map((line) => allOf(line, now));
  return alternatives.length === 0 ? () => true : (record) => alternatives.some((test) => test(record));
}

function allOf(line: string, now: number): Test {
  const tests = line.split(",").map((text) => parseTest(text.replace(/^"|"$/g, ""), now));
  return (record) => tests.every((test) => test(record));
}

function parseTest(text: string, now: number): Test {
  const [, field = "", operator = "", value = ""] = /^(\w+)(==|~=|!=|<=|>=|<|>|=)(.*)$/.exec(text) ?? [];
  if (field === "ref" || field === "repository" || field === "status") return textTest(field, operator, value);
  if (field === "startedAt" || field === "completedAt") return timeTest(field, operator, value, now);
  if (field === "duration") {
    const wanted = parseGoDuration(value);
    if (wanted === undefined) throw invalidArgument(`invalid duration in the filter ${text}`);
    return (record) => compare(operator, duration(record, now), wanted / 1e6);
  }
  throw invalidArgument(`unsupported filter ${JSON.stringify(text)}`);
}

function textTest(field: "ref" | "repository" | "status", operator: string, value: string): Test {
  const read = { ref: ({ Ref }: BuildHistoryRecord) => Ref, repository: repositoryOf, status: statusOf }[field];
  if (operator === "~=") return (record) => read(record).includes(value);
  if (operator === "==" || operator === "=") return (record) => read(record) === value;
  if (operator === "!=") return (record) => read(record) !== value;
  throw invalidArgument(`the filter ${field} knows ==, ~= and != alone`);
}

function repositoryOf({ FrontendAttrs }: BuildHistoryRecord): string {
  return FrontendAttrs["vcs:source"] ?? FrontendAttrs["context"] ?? "";
}

/** gRPC's code for what was given up. */
const canceled = 1;

function statusOf({ CompletedAt, error }: BuildHistoryRecord): string {
  if (!CompletedAt) return "running";
  if (!error) return "completed";
  return error.code === canceled ? "canceled" : "error";
}

/** A point in time, or how long ago it was. */
function timeTest(field: "startedAt" | "completedAt", operator: string, value: string, now: number): Test {
  const ago = parseGoDuration(value);
  const wanted = ago === undefined ? Date.parse(value) : now - ago / 1e6;
  if (Number.isNaN(wanted)) throw invalidArgument(`invalid time ${JSON.stringify(value)} in a filter`);
  return ({ CreatedAt, CompletedAt }) => {
    const found = field === "startedAt" ? CreatedAt : CompletedAt;
    return found ? compare(operator, millis(found), wanted) : false;
  };
}

function duration({ CreatedAt, CompletedAt }: BuildHistoryRecord, now: number): number {
  return (CompletedAt ? millis(CompletedAt) : now) - millis(CreatedAt);
}

function millis({ seconds, nanos }: Timestamp): number {
  return seconds * 1000 + nanos / 1e6;
}

function compare(operator: string, a: number, b: number): boolean {
  if (operator === "<") return a < b;
  if (operator === "<=") return a <= b;
  if (operator === ">") return a > b;
  if (operator === ">=") return a >= b;
  throw invalidArgument(`times are compared by <, <=, > and >=, not by ${operator}`);
}
