import { describe, expect, test } from "bun:test";
import { flag } from "./flag-kinds.ts";
import { FlagError, parseFlags } from "./flags.ts";

const specs = {
  all: flag.bool("", { short: "a" }),
  proxy: flag.boolOn(""),
  name: flag.string("", { short: "n" }),
  count: flag.int("", { short: "c" }),
  memory: flag.bytes("", { short: "m" }),
  interval: flag.duration(""),
  env: flag.list("", { short: "e" }),
  tags: flag.commaList(""),
  opts: flag.map(""),
  filter: flag.filter("", { short: "f" }),
  network: flag.list(""),
  net: flag.list("", { aliasOf: "network", hidden: true }),
  old: flag.int("", { deprecated: "use --count instead" }),
};

const parse = (line: string, interspersed = true) =>
  parseFlags(specs, line === "" ? [] : line.split(" "), { interspersed });

describe("values", () => {
  test.each([
    ["-a", "all", true],
    ["--all=false", "all", false],
    ["--all=T", "all", true],
    ["-a=0", "all", false],
    ["--proxy=false", "proxy", false],
    ["-n x", "name", "x"],
    ["-nx", "name", "x"],
    ["-n=x", "name", "x"],
    ["-n=", "name", "="],
    ["--name=", "name", ""],
    ["--name a=b", "name", "a=b"],
    ["-an x", "name", "x"],
    ["-c 0x10", "count", 16],
    ["-c 010", "count", 8],
    ["-c -5", "count", -5],
    ["-m 1.5k", "memory", 1536],
    ["-m 2GiB", "memory", 2 ** 31],
    ["--interval 1m1.5s", "interval", 61.5e9],
    ["--tags a,b --tags c", "tags", ["a", "b", "c"]],
    ['--tags a,"b,c"', "tags", ["a", "b,c"]],
    ["-e A=1 -eB", "env", ["A=1", "B"]],
    ["--net a --network b", "network", ["a", "b"]],
    ["--opts a=b=c --opts d", "opts", { a: "b=c", d: "" }],
    ["-f Label=x", "filter", ["label=x"]],
  ] as const)("%s", (line, name, expected) => {
    const { flags } = parse(line);
    expect(flags.value[name]).toEqual(expected as never);
    expect(flags.changed(name)).toBe(true);
  });

  test("what is not given keeps its default and is not changed", () => {
    const { flags } = parse("");
    expect(flags.value.proxy).toBe(true);
    expect(flags.value.env).toEqual([]);
    expect(flags.changed("proxy")).toBe(false);
  });
});

describe("positional arguments", () => {
  test.each([
    ["x -a y", true, ["x", "y"], true],
    ["x -a y", false, ["x", "-a", "y"], false],
    ["-a -- -n x", true, ["-n", "x"], true],
    ["x -- -a", false, ["x", "--", "-a"], false],
    ["- -a", true, ["-"], true],
  ] as const)("%s, interspersed %p", (line, interspersed, args, all) => {
    const parsed = parse(line, interspersed);
    expect(parsed.args).toEqual([...args]);
    expect(parsed.flags.value.all).toBe(all);
  });
});

describe("errors in pflag's words", () => {
  test.each([
    ["--nope", "unknown flag: --nope"],
    ["--nope=1", "unknown flag: --nope"],
    ["-x", "unknown shorthand flag: 'x' in -x"],
    ["-axn", "unknown shorthand flag: 'x' in -xn"],
    ["--name", "flag needs an argument: --name"],
    ["-n", "flag needs an argument: 'n' in -n"],
    ["-an", "flag needs an argument: 'n' in -n"],
    ["--=x", "bad flag syntax: --=x"],
    ["---x", "bad flag syntax: ---x"],
    [
      "--all=maybe",
      'invalid argument "maybe" for "-a, --all" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
    ["-c x", 'invalid argument "x" for "-c, --count" flag: strconv.ParseInt: parsing "x": invalid syntax'],
    [
      "-c 9223372036854775808",
      'invalid argument "9223372036854775808" for "-c, --count" flag: strconv.ParseInt: parsing "9223372036854775808": value out of range',
    ],
    ["-m lots", 'invalid argument "lots" for "-m, --memory" flag: invalid size: \'lots\''],
    ["--interval 5", 'invalid argument "5" for "--interval" flag: time: missing unit in duration "5"'],
    ["--filter x", 'invalid argument "x" for "-f, --filter" flag: bad format of filter (expected name=value)'],
    ["--constructor", "unknown flag: --constructor"],
  ])("%s", (line, message) => {
    expect(() => parse(line)).toThrow(new FlagError(message));
  });
});

test("help stops the parsing, also of what would be an error after it", () => {
  expect(parse("--help --nope").help).toBe(true);
  const short = parse("-h");
  expect(short.help).toBe(true);
  expect(short.notices).toEqual(["Flag shorthand -h has been deprecated, use --help"]);
});

test("a deprecated flag still works and is noticed", () => {
  const { flags, notices } = parse("--old 3");
  expect(flags.value.old).toBe(3);
  expect(notices).toEqual(["Flag --old has been deprecated, use --count instead"]);
});
