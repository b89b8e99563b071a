import { expect, test } from "bun:test";
import { alignTabs } from "./tabwriter.ts";

test("columns are at least ten wide and three apart; the last cell is not padded", () => {
  expect(alignTabs("ID\tNAME\nabc\tx\n")).toBe("ID        NAME\nabc       x\n");
  expect(alignTabs("ID\tNAME\nabcdefghijkl\tx\n")).toBe("ID             NAME\nabcdefghijkl   x\n");
});

test("a column is a run of lines: one without the cell ends it", () => {
  expect(alignTabs("a\tb\nplain\nlonger-than-ten\tc")).toBe("a         b\nplain\nlonger-than-ten   c");
});

test("an inner column is aligned only within the lines that have it", () => {
  expect(alignTabs("a\tb\tc\nd\te\nf\tgggggggggggg\th", { minWidth: 0, padding: 1 })).toBe(
    "a b c\nd e\nf gggggggggggg h",
  );
});

test("empty cells keep their place", () => {
  expect(alignTabs("A\t\tC\n1\t\t3")).toBe("A                   C\n1                   3");
});
