import { expect, test } from "bun:test";
import type { Filters } from "../../../api/system.ts";
import { initialState } from "../container-record.ts";
import { testContainer } from "../test-record.ts";
import { selectContainers, toSummary } from "./list.ts";

const at = (minute: number) => `2026-01-01T00:0${minute}:00Z`;
const old = testContainer({
  id: "1".repeat(64),
  name: "old",
  created: at(1),
  state: { ...initialState(), status: "exited", exitCode: 3 },
});
const web = testContainer({
  id: "2".repeat(64),
  name: "web",
  created: at(2),
  config: { Image: "debian", Cmd: ["sh", "-c", "a b"], Labels: { tier: "front" }, ExposedPorts: { "443/tcp": {} } },
  state: { ...initialState(), status: "running", pid: 1 },
});
web.record.networkSettings.Ports = { "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8080" }] };
const all = [old, web];
const context = {
  find: (name: string) => all.find(({ record }) => record.name === name),
  descendants: () => new Set(["sha256:1"]),
};

function names(filters: Filters, options: { all?: boolean; limit?: number } = {}): string[] {
  return selectContainers(all, { all: true, ...options, filters }, context).map(({ record }) => record.name);
}

test("newest first; only running ones unless all, a limit or a filter on state asks for more", () => {
  expect(names({})).toEqual(["web", "old"]);
  expect(names({}, { all: false })).toEqual(["web"]);
  expect(names({}, { all: false, limit: 2 })).toEqual(["web", "old"]);
  expect(names({ status: ["exited"] }, { all: false })).toEqual(["old"]);
});

test("each filter selects", () => {
  const table: [Filters, string[]][] = [
    [{ name: ["^/web$"] }, ["web"]],
    [{ id: ["111"] }, ["old"]],
    [{ label: ["tier"] }, ["web"]],
    [{ label: ["tier=back"] }, []],
    [{ label: ["tier=front", "other"] }, []],
    [{ "label!": ["tier"] }, ["old"]],
    [{ exited: ["3"] }, ["old"]],
    [{ status: ["running", "exited"] }, ["web", "old"]],
    [{ before: ["web"] }, ["old"]],
    [{ since: ["old"] }, ["web"]],
    [{ publish: ["8000-9000"] }, ["web"]],
    [{ publish: ["80"] }, []],
    [{ expose: ["443"] }, ["web"]],
    [{ ancestor: ["debian"] }, ["web", "old"]],
    [{ health: ["none"] }, ["web", "old"]],
  ];
  for (const [filters, expected] of table) expect([filters, names(filters)]).toEqual([filters, expected]);
});

test("unknown filters and values are refused", () => {
  expect(() => names({ colour: ["red"] })).toThrow("invalid filter 'colour'");
  expect(() => names({ status: ["asleep"] })).toThrow("invalid value for state (asleep)");
  expect(() => names({ exited: ["x"] })).toThrow("invalid filter 'exited=x'");
  expect(() => names({ health: ["x"] })).toThrow("invalid value for health (x)");
  expect(() => names({ "is-task": ["x"] })).toThrow("invalid filter 'is-task=[x]'");
  expect(() => names({ publish: ["x"] })).toThrow("error while looking up for publish x");
});

test("a summary shows the command as one line, ports and state", () => {
  const summary = toSummary(web, { image: "debian", names: ["/web"], mounts: [] });
  expect(summary).toMatchObject({
    Names: ["/web"],
    Command: "sh -c 'a b'",
    State: "running",
    Ports: [{ PublicPort: 8080 }],
  });
});
