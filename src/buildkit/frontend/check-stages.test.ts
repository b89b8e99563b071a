import { expect, test } from "bun:test";
import { parseDockerfile } from "../../dockerfile/parse.ts";
import { checkCircles, checkNeeded } from "./check-stages.ts";

/** The complaint, and the line that it points at. */
function complaint(lines: string[], needed?: number[]): [string, number | undefined] | undefined {
  const { stages } = parseDockerfile(lines.join("\n"));
  let line: number | undefined;
  try {
    checkCircles(stages, (location) => {
      line = location.startLine;
    });
    checkNeeded(stages, needed ?? [...stages.keys()], (location) => {
      line = location.startLine;
    });
    return undefined;
  } catch (error) {
    return [(error as Error).message, line];
  }
}

test("stages that copy from earlier ones, by name, number and mount, are right", () => {
  const copies = ["COPY --from=ONE /a /a", "COPY --from=0 /a /a", "COPY --from=busybox /a /a"];
  expect(complaint(["FROM scratch AS one", "FROM one", ...copies, "RUN --mount=from=one,target=/m x"])).toBeUndefined();
});

test("circles are found in stages that nobody needs", () => {
  const circle = ["FROM scratch AS a", "COPY --from=b /x /", "FROM scratch AS b", "COPY --from=a /x /", "FROM scratch"];
  expect(complaint(circle, [2])).toEqual(["circular dependency detected on stage: a", 4]);
  expect(complaint(["FROM scratch", "COPY --from=0 /x /"])).toEqual([
    "circular dependency detected on stage: stage-0",
    2,
  ]);
});

test("a later stage is refused where it is needed; no stage at all, everywhere", () => {
  const later = ["FROM scratch AS a", "COPY --from=1 /x /", "FROM scratch"];
  expect(complaint(later, [1])).toBeUndefined();
  expect(complaint(later)?.[0]).toContain('cannot copy from stage "1"');
  expect(complaint(["FROM scratch", "COPY --from=3 /x /", "FROM scratch"], [1])).toEqual([
    "invalid stage index 3",
    undefined,
  ]);
  expect(complaint(["FROM scratch", "RUN []"])).toEqual([
    "failed to marshal LLB definition: arguments are required",
    undefined,
  ]);
});
