import { expect, test } from "bun:test";
import { parseDockerfile } from "../dockerfile/parse.ts";
import { checkStageNames, neededStages, stageIndex, targetStage } from "./stages.ts";

const dockerfile = parseDockerfile(`
FROM a AS one
FROM b AS two
FROM one AS three
FROM c
COPY --from=0 /x /y
FROM d AS last
COPY --from=three /x /y
RUN --mount=type=bind,from=two,target=/t true
`);
const needed = (target: string) => neededStages(dockerfile.stages, targetStage(dockerfile, target), ({ base }) => base);

test("a target needs what it stands on, copies from and mounts", () => {
  expect(needed("")).toEqual([0, 1, 2, 4]);
  expect(needed("3")).toEqual([0, 3]);
  expect(needed("THREE")).toEqual([0, 2]);
});

test("names come before numbers, and a stage cannot see those after it", () => {
  expect(stageIndex(dockerfile.stages, "1")).toBe(1);
  expect(stageIndex(dockerfile.stages.slice(0, 1), "two")).toBeUndefined();
  expect(() => needed("nothere")).toThrow('target stage "nothere" could not be found');
  expect(() => checkStageNames(parseDockerfile("FROM a AS x\nFROM b AS X").stages)).toThrow(
    "x stage name already used",
  );
});
