// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are variables of Dockerfiles.
/** Warnings, their order and their words are those of `docker buildx build --call=check` with dockerd 28.5. */
import { expect, test } from "bun:test";
import { parseDockerfile } from "../parse.ts";
import { type LintOptions, lintDockerfile } from "./lint.ts";

const lint = (text: string, options?: LintOptions) => lintDockerfile(parseDockerfile(text), options);
const found = (text: string, options?: LintOptions) =>
  lint(text, options).warnings.map(({ rule, message, location }) => `${location.startLine} ${rule}: ${message}`);

const multiple = (name: string) =>
  `MultipleInstructionsDisallowed: Multiple ${name} instructions should not be used in the same stage because only ` +
  "the last one will be used";
const json = (name: string) =>
  `JSONArgsRecommended: JSON arguments recommended for ${name} to prevent unintended behavior related to OS signals`;
const legacy = (name: string) =>
  `LegacyKeyValueFormat: "${name} key=value" should be used instead of legacy "${name} key value" format`;
const secret = (where: string) =>
  `SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (${where})`;
const workdir = (path: string) =>
  `WorkdirRelativePath: Relative workdir "${path}" can have unexpected results if the base image changes`;
const noDefault = (base: string) =>
  `InvalidDefaultArgInFrom: Default value for ARG ${base} results in empty or invalid base image name`;

test.each<[string, string[]]>([
  ["FROM scratch AS Base", ["1 StageNameCasing: Stage name 'Base' should be lowercase"]],
  ["FROM scratch as b", ["1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match"]],
  ["from scratch AS b", ["1 FromAsCasing: 'AS' and 'from' keywords' casing do not match"]],
  [
    "From scratch As b",
    ["1 ConsistentInstructionCasing: Command 'From' should match the case of the command majority (uppercase)"],
  ],
  [
    "ARG A\nfrom scratch\nlabel a=b\nLABEL c=d",
    ["4 ConsistentInstructionCasing: Command 'LABEL' should match the case of the command majority (lowercase)"],
  ],
  ["FROM scratch\nLABEL a=b \\\n\n c=d\n", ["4 NoEmptyContinuation: Empty continuation line"]],
  [
    "FROM scratch AS a\nFROM scratch AS a",
    ['2 DuplicateStageName: Duplicate stage name "a", stage names should be unique'],
  ],
  [
    "FROM scratch AS context",
    ['1 ReservedStageName: Stage name should not use the same name as reserved stage "context"'],
  ],
  [
    "FROM scratch\nMAINTAINER me",
    ["2 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label"],
  ],
  ["FROM scratch\ncmd x", [expect.stringContaining("2 ConsistentInstructionCasing") as string, `2 ${json("cmd")}`]],
  ['FROM scratch AS a\nSHELL ["a"]\nFROM a\nCMD x\nENTRYPOINT y', []],
  ['FROM scratch\nCMD ["a"]\nCMD ["b"]\nCMD ["c"]', [`2 ${multiple("CMD")}`, `3 ${multiple("CMD")}`]],
  ["FROM scratch\nHEALTHCHECK CMD a\nHEALTHCHECK NONE", [`2 ${multiple("HEALTHCHECK")}`]],
  ['FROM scratch AS a\nCMD ["a"]\nFROM a\nCMD ["b"]', []],
  ["FROM scratch\nWORKDIR a\nWORKDIR b", [`2 ${workdir("a")}`]],
  ["FROM scratch AS a\nWORKDIR /a\nFROM a\nWORKDIR b", []],
  ["FROM scratch\nENV a b\nLABEL c d\nENV e=f", [`2 ${legacy("ENV")}`, `3 ${legacy("LABEL")}`]],
  [
    "ARG token\nFROM scratch\nARG apikey\nARG MONKEY\nARG PUBLIC_KEY\nENV A_password=1 KEYS=2 auth_x=3",
    [`3 ${secret('ARG "apikey"')}`, `6 ${secret('ENV "A_password"')}`, `6 ${secret('ENV "auth_x"')}`],
  ],
  [
    "FROM scratch\nEXPOSE 80/TCP 1:2 3",
    [
      "2 ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '1:2'",
      "2 ExposeProtoCasing: Defined protocol '80/TCP' in EXPOSE instruction should be lowercase",
    ],
  ],
])("%j", (text, expected) => {
  expect(found(text)).toEqual(expected);
});

test.each<[string, string[]]>([
  ["FROM ${NOPE:-scratch}", ["1 UndefinedArgInFrom: FROM argument 'NOPE' is not declared"]],
  [
    "FROM scratch${TARGETARC:-}",
    ["1 UndefinedArgInFrom: FROM argument 'TARGETARC' is not declared (did you mean TARGETARCH?)"],
  ],
  ["ARG A\nFROM ${A:-scratch}", []],
  ["ARG A\nFROM busybox:${A}x", []],
  ["ARG A\nFROM x:$A", [`2 ${noDefault("x:$A")}`]],
  [
    "FROM --platform=linux/amd64 scratch",
    ['1 FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value "linux/amd64"'],
  ],
  ["FROM --platform=linux/arm64 scratch AS build-arm64", []],
  [
    "FROM --platform=${TARGETPLATFORM} scratch",
    [
      "1 RedundantTargetPlatform: Setting platform to predefined ${TARGETPLATFORM} in FROM is redundant " +
        "as this is the default behavior",
    ],
  ],
  ["FROM --platform=$BUILDPLATFORM scratch", []],
])("%j", (text, expected) => {
  expect(found(text)).toEqual(expected);
});

const undefinedVar = (line: number, name: string, near?: string) =>
  `${line} UndefinedVar: Usage of undefined variable '$${name}'${near ? ` (did you mean $${near}?)` : ""}`;

test.each<[string, string[]]>([
  ["COPY $X ${Y:-a} /a", [undefinedVar(2, "X"), undefinedVar(2, "Y")]],
  ["COPY $XXX$XXX$Y /a", [undefinedVar(2, "XXX"), undefinedVar(2, "Y")]],
  ["ENV XYZ=1\nCOPY $XY $xyz /a", [undefinedVar(3, "XY", "XYZ"), undefinedVar(3, "xyz")]],
  ["ARG X\nCOPY $X /a", []],
  ["ARG TARGETARCH\nCOPY $TARGETARCH /a", []],
  ["COPY $PATH $PTH /a", [undefinedVar(2, "PTH", "PATH")]],
  ["ENV A=1 B=$A\nENV C=$B", [undefinedVar(2, "A")]],
  ["ARG A=$XX\nARG B=$A", [undefinedVar(2, "XX")]],
  ["COPY <<E /a\n$X\nE", [undefinedVar(2, "X")]],
  ["COPY <<'E' /a\n$X\nE", []],
  ["COPY --chown=$XX --chmod=$YY a b", [undefinedVar(2, "XX"), undefinedVar(2, "YY")]],
  ["RUN --mount=type=cache,target=/$XX echo $YY", [undefinedVar(2, "XX")]],
  ["COPY \\$X '$Y' /a", []],
  ["EXPOSE $X\nHEALTHCHECK CMD $X\nONBUILD COPY $X /a", []],
])("variables: %j", (text, expected) => {
  expect(found(`FROM scratch\n${text}`)).toEqual(expected);
});

test("what an image sets is set, and of an unknown image nothing is said", () => {
  const text = "FROM img AS a\nCOPY $X $Y /a\nFROM a\nCOPY $Y /a";
  expect(found(text)).toEqual([]);
  expect(found(text, { image: () => ({ env: ["X=1"] }) })).toEqual([
    undefinedVar(2, "Y", "X"),
    undefinedVar(4, "Y", "X"),
  ]);
  expect(found("FROM img\nCMD x", { image: () => ({ env: [], shell: ["sh"] }) })).toEqual([]);
});

test("triggers of a base stage or image count where they run", () => {
  const text = "FROM scratch AS a\nONBUILD ENV a b\nFROM a\n";
  expect(found(text)).toEqual([`3 ${legacy("ENV")}`]);
  expect(found("FROM img", { image: () => ({ env: [], triggers: ["CMD x"] }) })).toEqual([`1 ${json("CMD")}`]);
});

test("build arguments and the stages that are built", () => {
  expect(found("ARG A=x\nFROM $A\nCOPY $B /a", { args: { A: "scratch" } })).toEqual([undefinedVar(3, "B")]);
  const text = "FROM scratch AS a\nCMD x\nFROM scratch\nCMD y";
  expect(found(text, { stages: new Set([1]) })).toEqual([`4 ${json("CMD")}`]);
});

test.each<[string, string[]]>([
  ["# check=skip=all", []],
  ["# check=skip=StageNameCasing", ["FromAsCasing"]],
  ["# check=skip=StageNameCasing,FromAsCasing", []],
  ["# check=skip=StageNameCasing, FromAsCasing", ["FromAsCasing"]],
  ["#!/usr/bin/env x\n# check=skip=all", []],
  ["# x\n# check=skip=all", ["StageNameCasing", "FromAsCasing"]],
])("%j", (directive, expected) => {
  expect(lint(`${directive}\nFROM scratch as B`).warnings.map(({ rule }) => rule)).toEqual(expected);
});

test("descriptions are looked at when asked for", () => {
  const text = "\n# d\nFROM scratch AS b\n# x\nARG foo\n# foo bar\nARG foo=1\n# q\nARG a=1 b=2\n\n# q\n#\nARG z=1\n";
  expect(found(text)).toEqual([]);
  expect(found(`# check=experimental=InvalidDefinitionDescription\n${text}`)).toEqual([
    "4 InvalidDefinitionDescription: Comment for FROM should follow the format: `# b <description>`",
    "6 InvalidDefinitionDescription: Comment for ARG should follow the format: `# foo <description>`",
    "10 InvalidDefinitionDescription: Comment for ARG should follow the format: `# <arg_key> <description>`",
  ]);
});

test("a warning carries what the rule is about and where it is explained", () => {
  expect(lint("FROM scratch\nCMD x").warnings).toEqual([
    {
      rule: "JSONArgsRecommended",
      message: json("CMD").replace("JSONArgsRecommended: ", ""),
      description: "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals",
      url: "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/",
      location: { startLine: 2, endLine: 2 },
    },
  ]);
});

test("errors stand beside what was found before them", () => {
  expect(lint("# check=error=true\nFROM scratch as B")).toMatchObject({
    warnings: [{ rule: "StageNameCasing" }, { rule: "FromAsCasing" }],
    error: { message: "lint violation found for rules: StageNameCasing, FromAsCasing" },
  });
  expect(lint("FROM $A")).toMatchObject({
    warnings: [{ rule: "InvalidDefaultArgInFrom" }, { rule: "UndefinedArgInFrom" }],
    error: { message: "base name ($A) should not be blank", location: { startLine: 1 } },
  });
  expect(lint("FROM scratch\nCMD x\nUSER ${A:?no user}\nCMD y")).toMatchObject({
    warnings: [{ rule: "JSONArgsRecommended" }, { rule: "UndefinedVar" }],
    error: { message: 'failed to process "${A:?no user}": A: no user', location: { startLine: 3 } },
  });
});

test.each([
  ["foo=bar", 'invalid check option "foo"'],
  ["foo", 'invalid check option "foo"'],
  ["error=maybe", 'failed to parse check option "error=maybe": strconv.ParseBool: parsing "maybe": invalid syntax'],
])("# check=%s is refused", (value, reason) => {
  expect(() => lint(`# check=${value}\nFROM scratch`)).toThrow(`failed to parse check options: ${reason}`);
});
