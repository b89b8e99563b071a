/** JSON for readers written in Go and C, whose 64-bit integers JavaScript's numbers cannot hold. */

/** JSON.rawJSON, which TypeScript's library does not declare yet. */
const { rawJSON } = JSON as typeof JSON & { rawJSON(text: string): unknown };

const maxUint64 = rawJSON("18446744073709551615");

/** As JSON.stringify, but what is no less than 2^64 (Infinity too: the kernel's "no limit") becomes the largest 64-bit integer. */
export function goJson(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === "number" && member >= 2 ** 64 ? maxUint64 : member,
  );
}
