import { expect, test } from "bun:test";
import { decode, encode } from "dns-packet";
import {
  addressAnswer,
  codeAnswer,
  formatErrorAnswer,
  isTruncated,
  leastTtl,
  pointerAnswer,
  type Question,
  readQuestion,
  responseCode,
  reversedAddress,
} from "./messages.ts";

const ask = (name: string, type: "A" | "PTR" = "A", udpPayloadSize = 0) => {
  const size = {
    type: "OPT",
    name: ".",
    udpPayloadSize,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
  } as const;
  const additionals = udpPayloadSize > 0 ? [{ ...size, options: [] }] : [];
  return encode({ type: "query", id: 7, flags: 0x100, questions: [{ type, name }], additionals });
};
const question = (name: string, size?: number) => readQuestion(ask(name, "A", size)) as Question;

test("a question is read with the size that its client takes", () => {
  expect(question("Web")).toMatchObject({ id: 7, name: "Web", type: "A", udpSize: 512 });
  expect(question("web", 1232).udpSize).toBe(1232);
  expect(question("web", 100).udpSize).toBe(512);
  expect(question("web", 65000).udpSize).toBe(4096);
});

test("what is no question is none", () => {
  expect(readQuestion(Buffer.from("nonsense"))).toBeUndefined();
  expect(readQuestion(Buffer.alloc(12))).toBeUndefined();
  expect(readQuestion(encode({ type: "response", id: 1, questions: [{ type: "A", name: "a" }] }))).toBeUndefined();
});

test("answers repeat the question and its id", () => {
  const answer = decode(addressAnswer(question("Web"), ["10.0.0.2", "10.0.0.3"], 512));
  expect(answer).toMatchObject({ id: 7, type: "response", rcode: "NOERROR", questions: [{ name: "Web" }] });
  expect(answer.answers?.map((record) => "data" in record && record.data)).toEqual(["10.0.0.2", "10.0.0.3"]);
  expect(decode(addressAnswer(question("web"), [], 512)).answers).toEqual([]);
  const pointer = readQuestion(ask("2.0.0.10.in-addr.arpa", "PTR")) as Question;
  expect(decode(pointerAnswer(pointer, "web.app", 512)).answers).toMatchObject([{ type: "PTR", data: "web.app" }]);
});

test("an answer longer than the client's datagrams is cut off and says so", () => {
  const many = Array.from({ length: 100 }, (_, index) => `10.0.0.${index}`);
  const short = addressAnswer(question("web"), many, 512);
  expect(isTruncated(short)).toBe(true);
  expect(decode(short).answers).toEqual([]);
  expect(isTruncated(addressAnswer(question("web"), many, 4096))).toBe(false);
});

test("codes, and the answer to what cannot be read", () => {
  expect(responseCode(codeAnswer(question("web"), 3))).toBe(3);
  const unreadable = Buffer.concat([Buffer.from([0x12, 0x34, 1, 0]), Buffer.alloc(8)]);
  expect(formatErrorAnswer(unreadable)?.toString("hex")).toBe("123481010000000000000000");
  // Neither half a header nor an answer gets an answer.
  expect(formatErrorAnswer(Buffer.alloc(5))).toBeUndefined();
  expect(formatErrorAnswer(Buffer.alloc(12, 0xff))).toBeUndefined();
});

test("reverse names", () => {
  expect(reversedAddress("4.3.2.1.in-addr.arpa")).toBe("1.2.3.4");
  expect(reversedAddress("4.3.2.1.IN-ADDR.ARPA.")).toBe("1.2.3.4");
  expect(reversedAddress("3.2.1.in-addr.arpa")).toBeUndefined();
  expect(reversedAddress("example.org")).toBeUndefined();
});

test("the least time to live", () => {
  const record = (ttl: number) => ({ type: "A" as const, name: "a", ttl, data: "10.0.0.1" });
  expect(leastTtl(encode({ type: "response", answers: [record(30), record(5)] }))).toBe(5);
  expect(leastTtl(encode({ type: "response", answers: [] }))).toBeUndefined();
  expect(leastTtl(Buffer.from("x"))).toBeUndefined();
});
