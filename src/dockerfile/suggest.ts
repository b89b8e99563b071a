/** "did you mean": the nearest name, at most two changes away. buildkit util/suggest */

/** The message, with a suggestion when there is one. */
export function withSuggestion(message: string, given: string, options: readonly string[]): string {
  let best: string | undefined;
  let distance = 3;
  for (const option of options) {
    if (option.toLowerCase() === given.toLowerCase()) return message;
    const found = editDistance(given.toLowerCase(), option.toLowerCase());
    if (found < distance) {
      distance = found;
      best = option;
    }
  }
  if (best === undefined) return message;
  return `${message} (did you mean ${given === given.toLowerCase() ? best.toLowerCase() : best}?)`;
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
