/** What one request may do. Rules allow; what no rule allows is refused. */
import { asArray, asStrings } from "../../oci/json.ts";
import { asOneOf, readList } from "../config/fields.ts";

export const actions = ["pull", "push", "delete"] as const;
export type Action = (typeof actions)[number];

export interface Grant {
  /** Undefined: nobody is logged in. */
  readonly user: string | undefined;
  allows(repository: string, action: Action): boolean;
  /** Whether all repositories may be listed: else those that may be pulled from are. */
  readonly everything: boolean;
}

export const fullGrant: Grant = { user: undefined, allows: () => true, everything: true };

export interface Rule {
  /** Names; `*` is everyone who is logged in, `anonymous` everyone. */
  readonly users: readonly string[];
  /** Globs: `*` stands for anything within one component of a name, `**` for anything. */
  readonly repositories: readonly string[];
  readonly actions: readonly Action[];
}

/** Without rules: whoever is logged in may do everything. */
const defaultRules: readonly Rule[] = [{ users: ["*"], repositories: ["**"], actions }];

export class Rules {
  private readonly rules: readonly {
    users: ReadonlySet<string>;
    patterns: RegExp[];
    actions: ReadonlySet<Action>;
    everywhere: boolean;
  }[];

  constructor(rules: readonly Rule[]) {
    this.rules = (rules.length > 0 ? rules : defaultRules).map((rule) => ({
      users: new Set(rule.users),
      patterns: rule.repositories.map(globExpression),
      actions: new Set(rule.actions),
      everywhere: rule.repositories.includes("**"),
    }));
  }

  allows(user: string | undefined, repository: string, action: Action): boolean {
    return this.rules.some(
      (rule) =>
        rule.actions.has(action) && concerns(rule.users, user) && rule.patterns.some((glob) => glob.test(repository)),
    );
  }

  grant(user: string | undefined): Grant {
    const everything = this.rules.some(
      (rule) => rule.everywhere && rule.actions.has("pull") && concerns(rule.users, user),
    );
    return { user, everything, allows: (repository, action) => this.allows(user, repository, action) };
  }

  /** Whether those who are not logged in may do anything at all. */
  get admitsAnonymous(): boolean {
    return this.rules.some((rule) => rule.users.has("anonymous"));
  }
}

function concerns(users: ReadonlySet<string>, user: string | undefined): boolean {
  if (users.has("anonymous")) return true;
  return user !== undefined && (users.has("*") || users.has(user));
}

/** `team/*` → `^team/[^/]*$` */
export function globExpression(glob: string): RegExp {
  const parts = glob.split(/(\*\*|\*)/).map((part) => {
    if (part === "**") return ".*";
    return part === "*" ? "[^/]*" : part.replace(/[\\^$.+?()[\]{}|]/g, "\\$&");
  });
  return new RegExp(`^${parts.join("")}$`);
}

/** The key `access.rules`. Throws `invalid-argument`. */
export function parseRules(value: unknown, at: string): Rule[] {
  return readList(value, at, ["users", "repositories", "actions"], (object, what) => ({
    users: asStrings(object["users"], `${what}.users`),
    repositories: asStrings(object["repositories"], `${what}.repositories`),
    actions: asArray(object["actions"], `${what}.actions`).map((action) => asOneOf(actions, action, `${what}.actions`)),
  }));
}
