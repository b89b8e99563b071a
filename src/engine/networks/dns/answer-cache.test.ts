import { expect, test } from "bun:test";
import { AnswerCache } from "./answer-cache.ts";

const message = (id: number, text: string) => Buffer.concat([Buffer.from([id >> 8, id & 255]), Buffer.from(text)]);

test("an answer is found by all of the question but its id, which it gets", () => {
  const cache = new AnswerCache();
  const answer = message(1, "answer");
  cache.remember("one", message(1, "question"), answer);
  answer.fill(0);
  expect(cache.find("one", message(0x1234, "question"))).toEqual(message(0x1234, "answer"));
  expect(cache.find("one", message(7, "question"))).toEqual(message(7, "answer"));
  expect(cache.find("one", message(7, "Question"))).toBeUndefined();
  expect(cache.find("two", message(7, "question"))).toBeUndefined();
  expect(cache.find("one", Buffer.from([1]))).toBeUndefined();
  cache.clear();
  expect(cache.find("one", message(7, "question"))).toBeUndefined();
});

test("a client that makes names up does not fill the memory", () => {
  const cache = new AnswerCache();
  for (let index = 0; index < 5000; index++) cache.remember("one", message(0, `q${index}`), message(0, "a"));
  const kept = Array.from({ length: 5000 }, (_, index) => cache.find("one", message(0, `q${index}`))).filter(Boolean);
  expect(kept.length).toBeLessThanOrEqual(1000);
});
