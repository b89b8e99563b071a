import { expect, test } from "bun:test";
import { agoFromSeconds, bytesSize, ellipsis, humanDuration, humanSize } from "./units.ts";

test("sizes have the digits that docker gives them", () => {
  const cases: [number, string, string][] = [
    [0, "0B", "0B"],
    [999, "999B", "999B"],
    [1000, "1kB", "1kB"],
    [1234567, "1.235MB", "1.23MB"],
    [999950, "1000kB", "1e+03kB"],
    [124567890, "124.6MB", "125MB"],
    [5e12, "5TB", "5TB"],
  ];
  for (const [bytes, four, three] of cases) {
    expect(humanSize(bytes)).toBe(four);
    expect(humanSize(bytes, 3)).toBe(three);
  }
  expect(bytesSize(25276026880)).toBe("23.54GiB");
  expect(bytesSize(1023)).toBe("1023B");
  expect(bytesSize(64 * 2 ** 20)).toBe("64MiB");
});

test("durations go from seconds to years in docker's words", () => {
  const second = 1000;
  const hour = 3600 * second;
  const cases: [number, string][] = [
    [999, "Less than a second"],
    [second, "1 second"],
    [59 * second, "59 seconds"],
    [60 * second, "About a minute"],
    [119 * second, "About a minute"],
    [45 * 60 * second, "45 minutes"],
    [hour, "About an hour"],
    [1.6 * hour, "2 hours"],
    [47 * hour, "47 hours"],
    [48 * hour, "2 days"],
    [15 * 24 * hour, "2 weeks"],
    [70 * 24 * hour, "2 months"],
    [800 * 24 * hour, "2 years"],
  ];
  for (const [millis, text] of cases) expect(humanDuration(millis)).toBe(text);
  expect(agoFromSeconds(100, 160_000)).toBe("About a minute ago");
});

test("a cut text ends in an ellipsis and wide characters count twice", () => {
  expect(ellipsis("hello", 5)).toBe("hello");
  expect(ellipsis("hello!", 5)).toBe("hell…");
  expect(ellipsis("日本語", 5)).toBe("日本…");
  expect(ellipsis("ab", 1)).toBe("a");
  expect(ellipsis("ab", 0)).toBe("");
});
