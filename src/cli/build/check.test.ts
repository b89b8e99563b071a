/** Expected: what buildx 0.29 printed for `docker build --check` on dockerd 28.5. */
import { expect, test } from "bun:test";
import { checkDockerfile } from "./check.ts";

const check = (text: string) => checkDockerfile({ name: "Dockerfile", text, args: {}, target: "" });

test("warnings with their place", () => {
  const { output, failed } = check("FROM busybox AS Bad\nENV a b\nRUN true\n\n");
  expect(failed).toBe(true);
  expect(output).toBe(`Check complete, 2 warnings have been found!

WARNING: StageNameCasing - https://docs.docker.com/go/dockerfile/rule/stage-name-casing/
Stage name 'Bad' should be lowercase
Dockerfile:1
--------------------
   1 | >>> FROM busybox AS Bad
   2 |     ENV a b
   3 |     RUN true
--------------------

WARNING: LegacyKeyValueFormat - https://docs.docker.com/go/dockerfile/rule/legacy-key-value-format/
"ENV key=value" should be used instead of legacy "ENV key value" format
Dockerfile:2
--------------------
   1 |     FROM busybox AS Bad
   2 | >>> ENV a b
   3 |     RUN true
   4 |     
--------------------
`);
});

test("nothing to say, an error by wish, and a file that is none", () => {
  expect(check("FROM busybox\nRUN true\n")).toEqual({ output: "Check complete, no warnings found.\n", failed: false });
  expect(check("# check=error=true\nFROM busybox AS Bad\n").output).toEndWith(
    "\nERROR: lint violation found for rules: StageNameCasing\n",
  );
  expect(() => check("FROM busybox\nNOPE true\n")).toThrow(
    "ERROR: dockerfile parse error on line 2: unknown instruction: NOPE (did you mean COPY?)\nDockerfile:2\n",
  );
});
