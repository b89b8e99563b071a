import { expect, test } from "bun:test";
import { encodeHeaders, HeaderDecoder } from "./hpack.ts";

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

test("RFC 7541, appendix C.4 and C.6: Huffman codes, a table that grows and forgets", () => {
  const requests = new HeaderDecoder();
  const first = requests.decode(hex("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff"));
  expect(first).toEqual([
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/"],
    [":authority", "www.example.com"],
  ]);
  expect(requests.decode(hex("8286 84be 5886 a8eb 1064 9cbf"))).toEqual([...first, ["cache-control", "no-cache"]]);
  expect(requests.decode(hex("8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf"))).toEqual([
    [":method", "GET"],
    [":scheme", "https"],
    [":path", "/index.html"],
    [":authority", "www.example.com"],
    ["custom-key", "custom-value"],
  ]);
});

test("what is encoded is decoded: long values, bytes beyond ASCII, a table of no size", () => {
  const headers: [string, string][] = [
    ["x", "y".repeat(70_000)],
    ["ü", "日本"],
    ["empty", ""],
  ];
  expect(new HeaderDecoder().decode(encodeHeaders(headers))).toEqual(headers);
  const decoder = new HeaderDecoder();
  // The table is emptied, then a field is to be remembered that no longer fits.
  decoder.decode(hex("20 40 01 61 01 62"));
  expect(() => decoder.decode(hex("be"))).toThrow("there is no header 62");
});

test("blocks that are none are refused", () => {
  for (const block of ["40", "7f ff ff ff ff 7f", "ff ff ff ff ff ff 7f", "3f ff ff 7f", "40 81 00 01 61"]) {
    expect(() => new HeaderDecoder().decode(hex(block))).toThrow();
  }
});
