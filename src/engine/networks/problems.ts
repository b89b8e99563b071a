/** Several mistakes in one message, as dockerd's multierror joins them: one stands as it is, more become a list. Pure. */

export function joinProblems(problems: readonly string[]): string {
  return problems.length === 1 ? (problems[0] as string) : problems.map((problem) => `* ${problem}`).join("\n");
}
