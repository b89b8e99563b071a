/** Lists of CPUs and memory nodes: `0-2,7`. */

const maximum = 8192;

/** The numbers of a list, or what is wrong with it in Docker's words. An empty text is an empty list. */
export function expandSet(text: string): number[] | string {
  if (text === "") return [];
  const numbers = new Set<number>();
  for (const part of text.split(",")) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    const [first, last] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
    if (!match || first > last) return `invalid format: ${text}`;
    if (last > maximum) return `value of out range, maximum is ${maximum}`;
    for (let number = first; number <= last; number++) numbers.add(number);
  }
  return [...numbers];
}
