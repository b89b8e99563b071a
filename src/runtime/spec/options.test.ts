import { expect, test } from "bun:test";
import { expandSet } from "./cpuset.ts";
import { containerEnv } from "./env.ts";
import { logRotation, parseSize } from "./log-config.ts";
import { mergeTmpfsOptions } from "./tmpfs.ts";

test("the environment: defaults, then links, then the user's, of which a bare name removes", () => {
  const env = containerEnv({
    env: [
      ["A=1", "TERM", "PATH=/x"],
      ["A=2", "B=x=y"],
    ],
    hostname: "web",
    tty: true,
    home: "/srv",
    linkEnv: ["DB_PORT=tcp://1"],
  });
  expect(env).toEqual(["PATH=/x", "HOSTNAME=web", "DB_PORT=tcp://1", "A=2", "B=x=y", "HOME=/srv"]);
});

test("tmpfs: the last of contradicting options stays, unknown ones are refused", () => {
  expect(mergeTmpfsOptions([])).toEqual(["noexec", "nosuid", "nodev", "rprivate"]);
  expect(mergeTmpfsOptions(["size=65536k", "exec", "mode=1777"])).toEqual([
    "nosuid",
    "nodev",
    "rprivate",
    "size=65536k",
    "exec",
    "mode=1777",
  ]);
  expect(mergeTmpfsOptions(["ro", "rw", "size=1m", "size=2m", "rshared"]).slice(-3)).toEqual([
    "rw",
    "size=2m",
    "rshared",
  ]);
  expect(() => mergeTmpfsOptions(["bogus"])).toThrow('invalid tmpfs option "bogus"');
  expect(() => mergeTmpfsOptions(["bogus=1"])).toThrow('invalid tmpfs option "bogus"');
});

test("lists of CPUs", () => {
  expect(expandSet("0-2,7,1")).toEqual([0, 1, 2, 7]);
  expect(expandSet("2-0")).toBe("invalid format: 2-0");
});

test("log rotation: small by default, Docker's rules once an option is given", () => {
  const json = (Config: Record<string, string>) => () => logRotation({ Type: "json-file", Config });
  expect(json({})()).toEqual({ maxSize: 10_000_000, maxFiles: 3, compress: true });
  expect(json({ "max-file": "2" })()).toEqual({ maxSize: -1, maxFiles: 2, compress: false });
  expect(json({ "max-size": "1.5m", "max-file": "2", compress: "true" })()).toEqual({
    maxSize: 1_500_000,
    maxFiles: 2,
    compress: true,
  });
  expect(json({ "max-size": "-1" })()).toMatchObject({ maxSize: -1, compress: false });
  const failed = "failed to create task for container: failed to initialize logging driver: ";
  expect(json({ "max-size": "0" })).toThrow(`${failed}max-size must be a positive number`);
  expect(json({ "max-file": "x" })).toThrow(`${failed}strconv.Atoi: parsing "x": invalid syntax`);
  expect(json({ compress: "true", "max-size": "1m" })).toThrow(
    `${failed}compress cannot be true when max-file is less than 2 or max-size is not set`,
  );
  expect(logRotation({ Type: "local", Config: { "max-size": "1m" } })).toEqual({
    maxSize: 1_000_000,
    maxFiles: 5,
    compress: true,
  });
  expect(parseSize("1x", 1024)).toBe("invalid suffix: 'x'");
  expect(parseSize("2k", 1024)).toBe(2048);
});
