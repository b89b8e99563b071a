// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are variables of Dockerfiles.
/** The expected values are what dockerd 28.5 answered to `POST /images/create?fromSrc=-&changes=…`. */
import { expect, test } from "bun:test";
import type { ContainerConfig } from "../../api/container-config.ts";
import { errorKind } from "../../base/errors.ts";
import { applyChanges } from "./changes.ts";

test.each<[string, ContainerConfig]>([
  ["ENV a b c", { Env: ["a=b c"] }],
  [
    "ENV A=1 B=$A\nENV C=${A}x D=${Z:-def} E=${A:+alt} F='$A' G=\"$A\" H=\\$A I=a\\ b",
    { Env: ["A=1", "B=", "C=1x", "D=def", "E=alt", "F=$A", "G=1", "H=$A", "I=a b"] },
  ],
  ["ENV A=1\nENV A=2 AB=3", { Env: ["A=2", "AB=3"] }],
  [
    "ENV V=1.2.3 \nENV A=${V%.*} B=${V%%.*} C=${V#*.} D=${V##*.} E=${V/./-} F=${V//./-}",
    { Env: ["V=1.2.3", "A=1.2", "B=1", "C=2.3", "D=3", "E=1-2.3", "F=1-2-3"] },
  ],
  ["ENV a=1 \\\n# c\n b=2", { Env: ["a=1", "b=2"] }],
  ["LABEL a=b c='d e' \"f g\"=h", { Labels: { a: "b", c: "d e", "f g": "h" } }],
  ["EXPOSE 80 81/UDP", { ExposedPorts: { "80/tcp": {}, "81/udp": {} } }],
  ["EXPOSE 80 ${X:-81}", { ExposedPorts: { "80/tcp": {}, "81/tcp": {} } }],
  ["EXPOSE 80/", { ExposedPorts: { "80/tcp": {} } }],
  ['VOLUME ["/a b","c"]', { Volumes: { "/a b": {}, c: {} } }],
  ["VOLUME /a /b", { Volumes: { "/a": {}, "/b": {} } }],
  ["CMD", { Cmd: ["/bin/sh", "-c"] }],
  ["CMD []", { Cmd: [] }],
  ['CMD ["a","b"]', { Cmd: ["a", "b"] }],
  ["cmd [a", { Cmd: ["/bin/sh", "-c", "[a"] }],
  ["ENTRYPOINT []", { Entrypoint: null, Cmd: null }],
  ['CMD a\nENTRYPOINT ["x"]', { Cmd: ["/bin/sh", "-c", "a"], Entrypoint: ["x"] }],
  ["USER a:b", { User: "a:b" }],
  ["WORKDIR a\nWORKDIR ../b/", { WorkingDir: "/b" }],
  ["WORKDIR /", { WorkingDir: "/" }],
  ["STOPSIGNAL RTMIN+3", { StopSignal: "RTMIN+3" }],
  ["STOPSIGNAL 99", { StopSignal: "99" }],
  ["onbuild   run  x  y", { OnBuild: ["run  x  y"] }],
  ["HEALTHCHECK NONE", { Healthcheck: { Test: ["NONE"] } }],
  [
    'HEALTHCHECK --interval=1m30s --timeout=2.5s --retries=3 --start-period=1s --start-interval=5s CMD ["a","b"]',
    {
      Healthcheck: {
        Test: ["CMD", "a", "b"],
        Interval: 90e9,
        Timeout: 2.5e9,
        Retries: 3,
        StartPeriod: 1e9,
        StartInterval: 5e9,
      },
    },
  ],
  ["HEALTHCHECK --interval=0 cmd x", { Healthcheck: { Test: ["CMD-SHELL", "x"] } }],
])("%s", (change, expected) => {
  expect(applyChanges({}, [change])).toEqual(expected);
});

test.each([
  ["ENV", "ENV requires at least one argument"],
  ["ENV a", "ENV must have two arguments"],
  ["ENV a=b c", `Syntax error - can't find = in "c". Must be of the form: name=value`],
  ["ENV =b", "ENV names can not be blank"],
  ["ENV A='x", `failed to process "'x": unexpected end of statement while looking for matching single-quote`],
  ['ENV "C=d e"', 'failed to process "\\"C": unexpected end of statement while looking for matching double-quote'],
  ["ENV A=${X:?bad}", 'failed to process "${X:?bad}": X: bad'],
  ["ENV A=${X?}", 'failed to process "${X?}": X: is not allowed to be unset'],
  ["ENV A=${X:%y}", "unsupported modifier (:%) in substitution"],
  ["ENV --x a=b", "unknown flag: --x"],
  ["LABEL", "LABEL requires at least one argument"],
  ["EXPOSE 5-3", "Invalid containerPort: 5-3"],
  ["EXPOSE 70000", "Invalid containerPort: 70000"],
  ["EXPOSE 80/foo", "Invalid proto: foo"],
  ["VOLUME", "VOLUME requires at least one argument"],
  ["VOLUME $X", "VOLUME specified can not be an empty string"],
  ["VOLUME [1]", "when using JSON array syntax, arrays must be comprised of strings only"],
  ["USER", "USER requires exactly one argument"],
  ["WORKDIR ''", "cannot normalize nothing"],
  ["STOPSIGNAL sigfoo", "invalid signal: sigfoo"],
  ["ONBUILD", "ONBUILD requires at least one argument"],
  ["ONBUILD ONBUILD RUN x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
  ["ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"],
  ["HEALTHCHECK", "HEALTHCHECK requires at least one argument"],
  ["HEALTHCHECK NONE x", "HEALTHCHECK NONE takes no arguments"],
  ["HEALTHCHECK FOO x", 'Unknown type "FOO" in HEALTHCHECK (try CMD)'],
  ["HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"],
  ["HEALTHCHECK --interval=1us CMD x", 'Interval "interval" cannot be less than 1ms'],
  ["HEALTHCHECK --interval=abc CMD x", 'time: invalid duration "abc"'],
  ["HEALTHCHECK --interval CMD x", "missing a value on flag: --interval"],
  ["HEALTHCHECK --retries=-1 CMD x", "--retries cannot be negative (-1)"],
  ["HEALTHCHECK --foo=x CMD x", "unknown flag: --foo"],
  ["RUN x", "RUN is not a valid change command"],
  ['SHELL ["a"]', "SHELL is not a valid change command"],
  ["# nothing", "file with no instructions"],
])("%s is refused", (change, message) => {
  let caught: unknown;
  try {
    applyChanges({}, [change]);
  } catch (error) {
    caught = error;
  }
  expect(String(caught)).toContain(message);
  expect(errorKind(caught)).toBe("invalid-argument");
});

test("a refused change leaves the config alone, and an accepted one its copy", () => {
  const config: ContainerConfig = { Env: ["A=1"], Cmd: ["x"] };
  expect(() => applyChanges(config, ["ENV A=2", "RUN x"])).toThrow();
  expect(applyChanges(config, ["ENV A=2", "ENTRYPOINT y"])).toEqual({
    Env: ["A=2"],
    Cmd: null,
    Entrypoint: ["/bin/sh", "-c", "y"],
  });
  expect(config).toEqual({ Env: ["A=1"], Cmd: ["x"] });
});
