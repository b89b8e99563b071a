/** "did you mean": the nearest name, at most two changes away. buildkit util/suggest */

/** The message, with a suggestion when there is one. Instructions are known in any case, all else only as it is written. */
export function withSuggestion(message: string, given: string, options: readonly string[], anyCase = false): string {
  const best = suggestion(given, options, anyCase);
  return best === undefined ? message : `${message} (did you mean ${best}?)`;
}

/** Undefined when nothing is near, and when the word itself is among the options: it is not what is wrong. */
export function suggestion(given: string, options: readonly string[], anyCase = false): string | undefined {
  const fold = (text: string) => (anyCase ? text.toLowerCase() : text);
  let best: string | undefined;
  let distance = 3;
  for (const option of options) {
    if (fold(option) === fold(given)) return undefined;
    const found = editDistance(fold(given), fold(option));
    if (found >= distance) continue;
    distance = found;
    best = option;
  }
  if (best === undefined || !anyCase) return best;
  return given === given.toUpperCase() ? best.toUpperCase() : best.toLowerCase();
}

/** Levenshtein's distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
