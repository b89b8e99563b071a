import { expect, test } from "bun:test";
import { formatListing } from "./listing.ts";
import { GoObject } from "./template/go-type.ts";

const header = { ID: "THE ID", Name: "NAME" };
const row = (id: string, name: string) =>
  new GoObject("*test.row", { ID: () => id, Name: () => name, Label: (key) => `${key}!` });
const rows = [row("1", "one"), row("2", "<two>")];

test("a table has a header, other formats have none", () => {
  expect(formatListing({ format: "table {{.ID}}\\t{{.Name}}", header, rows })).toBe(
    "THE ID    NAME\n1         one\n2         <two>\n",
  );
  expect(formatListing({ format: "{{.ID}}\\n{{.Name}}", header, rows })).toBe("1\none\n2\n<two>\n");
  expect(formatListing({ format: "table {{.ID}}", header, rows: [] })).toBe("THE ID\n");
});

test("json prints every method without arguments, sorted, with HTML escaped", () => {
  expect(formatListing({ format: "json", header, rows })).toBe(
    '{"ID":"1","Name":"one"}\n{"ID":"2","Name":"\\u003ctwo\\u003e"}\n',
  );
});

test("functions do not change the titles, and a label's title is the last part of its name", () => {
  const format = 'table {{.Name | upper}} {{json .ID}} {{.Label "com.example.my-key"}}';
  expect(formatListing({ format, header, rows: rows.slice(0, 1) })).toBe(
    'NAME THE ID my key\nONE "1" com.example.my-key!\n',
  );
});

test("errors carry docker's prefix", () => {
  expect(() => formatListing({ format: "{{.ID", header, rows })).toThrow(
    "template parsing error: template: :1: unclosed action",
  );
  expect(() => formatListing({ format: "{{.Nope}}", header, rows })).toThrow(
    "can't evaluate field Nope in type *test.row",
  );
});
