/** Where the linter's warnings go: those that `# check=` turned off go nowhere. */

import type { Location, Warning } from "../instructions.ts";
import type { CheckOptions } from "./check-options.ts";
import { type LintRule, lintWarning } from "./lint-rules.ts";

export class Findings {
  readonly warnings: Warning[] = [];
  /** Of what is looked at now: an error belongs there. */
  location: Location | undefined;
  readonly options: CheckOptions;

  constructor(options: CheckOptions) {
    this.options = options;
  }

  report(rule: LintRule, location: Location, ...words: string[]): void {
    if (this.options.wants(rule)) this.warnings.push(lintWarning(rule, location, ...words));
  }
}
