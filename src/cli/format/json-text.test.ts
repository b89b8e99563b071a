import { expect, test } from "bun:test";
import { indentJson, parseJson } from "./json-text.ts";

test("indenting keeps key order, numbers and strings as they came", () => {
  const text = '{"b":1.50,"1":[],"a":{},"s":"x,{}[]:\\"y","l":[1,{"k":null}]}';
  expect(indentJson(text)).toBe(
    '{\n    "b": 1.50,\n    "1": [],\n    "a": {},\n    "s": "x,{}[]:\\"y",\n    "l": [\n        1,\n        {\n            "k": null\n        }\n    ]\n}',
  );
});

test("integers beyond a double come as bigint, everything else as usual", () => {
  expect(parseJson('{"timeNano":1700000000000000001,"n":12,"f":1.5}')).toEqual({
    timeNano: 1700000000000000001n,
    n: 12,
    f: 1.5,
  });
});
