// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are variables of Dockerfiles.
/** Messages are those of dockerd 28.5's classic builder (e2e/golden/build/refusals.txt); heredocs and mounts are BuildKit's. */
import { expect, test } from "bun:test";
import { expandInstruction } from "./expand.ts";
import type { Instruction } from "./instructions.ts";
import { parseMount } from "./mounts.ts";
import { parseDockerfile, parseTrigger } from "./parse.ts";

const first = (line: string): Instruction =>
  parseDockerfile(`FROM x\n${line}`).stages[0]?.instructions[0] as Instruction;

test("stages, arguments before them, directives and places", () => {
  const dockerfile = parseDockerfile(
    "\uFEFF# syntax=docker/dockerfile:1\n# escape=`\n\n# note\nARG A=1\nFROM --platform=linux/amd64 a:$A AS One\nRUN x `\n  y\nfrom one\n",
  );
  expect(dockerfile.directives).toEqual({ escape: "`", syntax: "docker/dockerfile:1" });
  expect(dockerfile.metaArgs[0]?.args).toEqual([{ name: "A", value: "1" }]);
  expect(dockerfile.stages.map(({ name, base, platform }) => [name, base, platform])).toEqual([
    ["one", "a:$A", "linux/amd64"],
    [undefined, "one", undefined],
  ]);
  expect(dockerfile.stages[0]?.instructions[0]).toMatchObject({
    kind: "run",
    command: ["x   y"],
    shellForm: true,
    original: "RUN x   y",
    location: { startLine: 7, endLine: 8 },
  });
});

test.each<[string, object]>([
  ['RUN ["a", "b"]', { command: ["a", "b"], shellForm: false }],
  ["RUN [a, b]", { command: ["[a, b]"], shellForm: true }],
  ["RUN a \\\n# comment\n\n b", { command: ["a  b"], shellForm: true }],
  ["RUN a \\\\", { command: ["a \\\\"] }],
  [
    "RUN --network=none --mount=type=cache,target=/c x",
    { network: "none", mounts: ["type=cache,target=/c"], command: ["x"] },
  ],
  ["COPY --chown=1:2 --link a b /c/", { sources: ["a", "b"], destination: "/c/", chown: "1:2", link: true }],
  ['COPY ["a b", "c"]', { sources: ["a b"], destination: "c" }],
  ["ADD --checksum=sha256:x --keep-git-dir=true u /d", { kind: "add", checksum: "sha256:x", keepGitDir: true }],
  [
    "ENV a=1 b='x y'",
    {
      pairs: [
        ["a", "1"],
        ["b", "'x y'"],
      ],
    },
  ],
  ["ENV a x y", { pairs: [["a", "x y"]] }],
  ["ARG a b=c", { args: [{ name: "a" }, { name: "b", value: "c" }] }],
  ['SHELL ["a", "b"]', { shell: ["a", "b"] }],
  ["CMD", { command: [], shellForm: true }],
  ["ONBUILD COPY a b", { kind: "onbuild", expression: "COPY a b" }],
  [
    "RUN <<EOF\none\ntwo\nEOF",
    { command: ["<<EOF"], heredocs: [{ name: "EOF", content: "one\ntwo\n", expand: true }] },
  ],
  [
    "COPY <<-'A' <<B /x\n\tq\n\tA\nw\nB",
    {
      sources: [],
      destination: "/x",
      heredocs: [
        { name: "A", content: "q\n", expand: false },
        { name: "B", content: "w\n", expand: true },
      ],
    },
  ],
])("%s", (line, expected) => {
  expect(first(line)).toMatchObject(expected);
});

test.each([
  ["FROM x\nFOO bar", "dockerfile parse error on line 2: unknown instruction: FOO (did you mean FROM?)"],
  ["RUN true", "no build stage in current context"],
  ["ARG a", "dockerfile contains no stages to build"],
  ["\n# x\n", "failed to parse Dockerfile: file with no instructions"],
  ["FROM", "dockerfile parse error on line 1: FROM requires either one or three arguments"],
  [
    "FROM x\nCOPY a",
    "dockerfile parse error on line 2: COPY requires at least two arguments, but only one was provided. Destination could not be determined",
  ],
  ["FROM x\nENV a", "failed to parse Dockerfile: ENV must have two arguments"],
  ["FROM x\nENV =x", "dockerfile parse error on line 2: ENV names can not be blank"],
  ["FROM x\nONBUILD FROM x", "dockerfile parse error on line 2: FROM isn't allowed as an ONBUILD trigger"],
  ["FROM x\nHEALTHCHECK --interval=x CMD a", 'dockerfile parse error on line 2: time: invalid duration "x"'],
  ["FROM x\nCOPY --nope a b", "dockerfile parse error on line 2: unknown flag: --nope"],
  ["FROM x\nCOPY --link --link a b", "dockerfile parse error on line 2: duplicate flag specified: --link"],
  ["FROM x\nSHELL sh", "dockerfile parse error on line 2: SHELL requires the arguments to be in JSON form"],
  ["FROM x\nVOLUME", "dockerfile parse error on line 2: VOLUME requires at least one argument"],
  [
    "FROM x AS 1a",
    `dockerfile parse error on line 1: invalid name for build stage: "1a", name can't start with a number or contain symbols`,
  ],
  [
    'FROM x\nCMD ["a", 1]',
    "failed to parse Dockerfile: when using JSON array syntax, arrays must be comprised of strings only",
  ],
  ["FROM x\nWORKDIR", "dockerfile parse error on line 2: WORKDIR requires exactly one argument"],
  ["FROM x\nARG", "dockerfile parse error on line 2: ARG requires at least one argument"],
  ["FROM x\nRUN <<A\nb", "failed to parse Dockerfile: unterminated heredoc"],
  ["# escape=x\nFROM y", "failed to parse Dockerfile: invalid escape token 'x' does not match ` or \\"],
])("%j is refused", (text, message) => {
  expect(() => parseDockerfile(text)).toThrow(message);
});

test("variables are replaced where they count", () => {
  const values: Record<string, string> = { A: "one", B: "two words" };
  const expand = (line: string) => expandInstruction(first(line), (name) => values[name]);
  expect(expand("COPY $A ${B} /${X:-none}/")).toMatchObject({ sources: ["one", "two words"], destination: "/none/" });
  expect(expand("EXPOSE $B")).toMatchObject({ ports: ["two", "words"] });
  expect(expand("RUN echo $A")).toMatchObject({ command: ["echo $A"] });
  expect(expand("RUN --mount=type=cache,target=/$A x")).toMatchObject({ mounts: ["type=cache,target=/one"] });
  expect(expand("COPY <<E /x\n$A '\"' \\$A \\n\nE")).toMatchObject({ heredocs: [{ content: "one '\"' $A n\n" }] });
  expect(expand("COPY <<'E' /x\n$A\nE")).toMatchObject({ heredocs: [{ content: "$A\n" }] });
});

test("mounts", () => {
  expect(parseMount("type=cache,target=/c,sharing=locked,uid=1,mode=0700")).toEqual({
    type: "cache",
    target: "/c",
    sharing: "locked",
    uid: 1,
    mode: 0o700,
    readOnly: false,
    required: false,
  });
  expect(parseMount("target=/x,from=one,source=/y")).toMatchObject({ type: "bind", from: "one", readOnly: true });
  expect(parseMount("target=/x,rw")).toMatchObject({ readOnly: false });
  expect(parseMount("type=tmpfs,target=/x,size=1g")).toMatchObject({ size: 2 ** 30 });
  for (const [text, message] of [
    ["type=nope", 'unsupported mount type "nope"'],
    ["type=bind,tarket=/x", "unexpected key 'tarket' in 'tarket=/x' (did you mean target?)"],
    ["type=secret", "invalid secret mount. one of source, target required"],
    ["type=bind,target=/x,uid=1", 'uid not allowed for "bind" type mounts'],
    ["type=bind,target", "invalid field 'target' must be a key=value pair"],
  ] as const) {
    expect(() => parseMount(text)).toThrow(message);
  }
});

test("a trigger is an instruction of its own", () => {
  expect(parseTrigger("RUN <<E\nx\nE")).toMatchObject({ kind: "run", heredocs: [{ content: "x\n" }] });
});

test.each<[string, string]>([
  ["LABEL a=b \\\n# note\n  c=d \\\n\n  e=f", "LABEL a=b   c=d   e=f"],
  ["LABEL a=b \\ \t\n c=d", "LABEL a=b  c=d"],
  ["LABEL a=\\\\", "LABEL a=\\\\"],
  ["LABEL a=b \\", "LABEL a=b"],
  ['LABEL a="b \\\n# not a quoted line\nc"', 'LABEL a="b c"'],
  ["LA\\\nBEL a=b", "LABEL a=b"],
  ["  LABEL\ta=b  \r\n", "LABEL\ta=b"],
  ["RUN <<E cat\nx\nE", "RUN <<E cat"],
])("%j is one line", (text, original) => {
  const { stages } = parseDockerfile(`FROM x\n${text}`);
  expect(stages[0]?.instructions.map((instruction) => instruction.original)).toEqual([original]);
});

test("an escape character of one's own counts in words, flags and continuations, not in heredocs", () => {
  const { stages } = parseDockerfile(
    '# escape=`\nFROM x\nLABEL a=b` c `\n "d`"e"=c:\\\\f\nCOPY --chown=a` b c d\nONBUILD LABEL a=b` c\nCOPY <<E /e\n\\$A`\nE\n',
  );
  const [label, copy, onbuild, heredoc] = (stages[0]?.instructions ?? []).map((each) =>
    expandInstruction(each, () => undefined, "`"),
  );
  expect(label).toMatchObject({
    pairs: [
      ["a", "b c"],
      ['d"e', "c:\\\\f"],
    ],
  });
  expect(copy).toMatchObject({ chown: "a b", sources: ["c"], destination: "d" });
  expect(onbuild).toMatchObject({ expression: "LABEL a=b` c" });
  expect(heredoc).toMatchObject({ heredocs: [{ content: "$A`\n" }] });
});

test.each<[string, object[]]>([
  ["cat << E\nx\nE", [{ name: "E", content: "x\n" }]],
  ["cat 3<<E 4<<-F\n\tx\nE\n\ty\n\tF", [{ content: "\tx\n" }, { content: "y\n" }]],
  ['cat <<"E F"\n$x\nE F', [{ name: "E F", expand: false }]],
  [
    "cat <<a'b'c <<\\d\nabc\nd",
    [
      { name: "abc", expand: false },
      { name: "d", expand: true },
    ],
  ],
  ["cat <<E\r\nx\r\nE\r\n", [{ name: "E", content: "x\r\n" }]],
  ["cat <<$E\nx\n$E", [{ name: "$E" }]],
  ["cat <<E 'open", []],
  ["cat <<< E", []],
  ["cat <<- E", []],
  ["a<<E", []],
  ['["cat", "<<E"]', []],
  ['echo "<<E"', []],
])("heredocs of RUN %s", (command, heredocs) => {
  const [run] = parseDockerfile(`FROM x\nRUN ${command}`).stages[0]?.instructions ?? [];
  expect(run).toMatchObject({ kind: "run", heredocs });
});

test("ONBUILD keeps heredocs as they are written, and only for what can have them", () => {
  expect(first("ONBUILD COPY <<-E /x\n\ta\n\tE")).toMatchObject({ expression: "COPY <<-E /x\n\ta\nE" });
  expect(first("ONBUILD CMD cat <<E")).toMatchObject({ expression: "CMD cat <<E" });
  expect(() => parseTrigger("RUN a\nRUN b")).toThrow("onbuild trigger should be a single expression");
});

test("mount values are expanded one by one", () => {
  const expand = (mount: string) =>
    expandInstruction(first(`RUN --mount=${mount} x`), (name) => (name === "A" ? "p,q" : undefined));
  const parse = (mount: string) => {
    const run = expand(mount);
    return run.kind === "run" ? run.mounts.map(parseMount) : [];
  };
  expect(parse("type=cache,target=/$A,id=${B:-c}")).toMatchObject([{ type: "cache", target: "/p,q", id: "c" }]);
  expect(() => parse("type=$B,target=/x")).toThrow('unsupported mount type ""');
  expect(() => parse(",target=/x")).toThrow("invalid field '' must be a key=value pair");
});

test.each([
  ["", "the Dockerfile cannot be empty"],
  ["FROM x\nrunn a", "dockerfile parse error on line 2: unknown instruction: runn (did you mean run?)"],
  ["FROM x\nENVb", "dockerfile parse error on line 2: unknown instruction: ENVb (did you mean env?)"],
  ["FROM x\n\\\n", "dockerfile parse error on line 2: unknown instruction: "],
  ["FROM x\nCOPY --Link a b", "dockerfile parse error on line 2: unknown flag: --Link (did you mean link?)"],
  ["FROM x\nCOPY --link=x a b", "dockerfile parse error on line 2: expecting boolean value for flag --link, not: x"],
  ["FROM x\nCOPY --chown a b", "dockerfile parse error on line 2: missing a value on flag: --chown"],
  ["FROM x\nCOPY a <<E\nE", "dockerfile parse error on line 2: COPY cannot accept a heredoc as a destination"],
  ["FROM x\nRUN --network=foo x", 'dockerfile parse error on line 2: invalid network mode "foo"'],
  ["FROM x\nRUN --mount= x", "dockerfile parse error on line 2: failed to parse csv mounts: EOF"],
  [
    "FROM x\nRUN --mount=from=$X x",
    "dockerfile parse error on line 2: 'from' doesn't support variable expansion, define alias stage instead",
  ],
  ["FROM x\nHEALTHCHECK --interval=5 CMD x", 'dockerfile parse error on line 2: time: missing unit in duration "5"'],
  [
    "FROM x\nHEALTHCHECK --interval=5x CMD x",
    'dockerfile parse error on line 2: time: unknown unit "x" in duration "5x"',
  ],
  [
    "FROM x\nHEALTHCHECK --retries=2147483648 CMD x",
    'dockerfile parse error on line 2: strconv.ParseInt: parsing "2147483648": value out of range',
  ],
  ["# escape=`\n# escape=`\nFROM x", "failed to parse Dockerfile: only one escape parser directive can be used"],
  [
    `FROM x\nLABEL a=${"x".repeat(66_000)}`,
    "failed to parse Dockerfile: dockerfile line greater than max allowed size of 65535",
  ],
])("%.40j is refused", (text, message) => {
  expect(() => parseDockerfile(text)).toThrow(new Error(message));
});
