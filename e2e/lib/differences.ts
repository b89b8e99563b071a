/** Where Gantry differs from Docker 28 on purpose, and why. Everything else must be the same to the letter. */

export interface Difference {
  /** Golden file without `.txt`. */
  golden: string;
  docker: string | RegExp;
  gantry: string;
  why: string;
}

export const differences: Difference[] = [];

/** What Gantry is to say where Docker said `expected`. */
export function gantryDiffers(golden: string, expected: string): string {
  return differences
    .filter((difference) => difference.golden === golden)
    .reduce((text, { docker, gantry }) => text.replace(docker, gantry), expected);
}
