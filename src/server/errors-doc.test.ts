import { expect, test } from "bun:test";
import { EngineError, type ErrorKind } from "../base/errors.ts";
import { errorStatus } from "./http-error.ts";

test("docs/errors.md lists every kind with the status that the server sends", async () => {
  const text = await Bun.file(new URL("../../docs/errors.md", import.meta.url)).text();
  const documented = [...text.matchAll(/^\| `([a-z-]+)` \| (\d+) \|/gm)].map(([, kind, status]) => [
    kind,
    Number(status),
  ]);
  const source = await Bun.file(new URL("../base/errors.ts", import.meta.url)).text();
  const kinds = [...(source.split("export class")[0] as string).matchAll(/\| "([a-z-]+)"/g)].map(
    (match) => match[1] as ErrorKind,
  );
  expect(kinds.length).toBeGreaterThan(5);
  expect(documented).toEqual(kinds.map((kind) => [kind, errorStatus(new EngineError(kind, ""))]));
});
