/**
 * The rules of `docker build --check` that need no more than the file and what it stands on. Words: buildkit linter/ruleset.go;
 * https://docs.docker.com/reference/build-checks/
 */
import type { Location, Warning } from "../instructions.ts";

interface Rule<Args extends readonly string[]> {
  description: string;
  message(...args: Args): string;
  /** Silent unless asked for. */
  experimental?: boolean;
}

const rule = <Args extends readonly string[]>(description: string, message: (...args: Args) => string): Rule<Args> => ({
  description,
  message,
});

const quote = JSON.stringify;
const meant = (name: string) => (name === "" ? "" : ` (did you mean ${name}?)`);

export const lintRules = {
  StageNameCasing: rule("Stage names should be lowercase", (name) => `Stage name '${name}' should be lowercase`),
  FromAsCasing: rule(
    "The 'as' keyword should match the case of the 'from' keyword",
    (from, as) => `'${as}' and '${from}' keywords' casing do not match`,
  ),
  NoEmptyContinuation: rule(
    "Empty continuation lines will become errors in a future release",
    () => "Empty continuation line",
  ),
  ConsistentInstructionCasing: rule(
    "All commands within the Dockerfile should use the same casing (either upper or lower)",
    (command, casing) => `Command '${command}' should match the case of the command majority (${casing})`,
  ),
  DuplicateStageName: rule(
    "Stage names should be unique",
    (name) => `Duplicate stage name ${quote(name)}, stage names should be unique`,
  ),
  ReservedStageName: rule(
    "Reserved words should not be used as stage names",
    (name) => `Stage name should not use the same name as reserved stage ${quote(name)}`,
  ),
  JSONArgsRecommended: rule(
    "JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals",
    (command) => `JSON arguments recommended for ${command} to prevent unintended behavior related to OS signals`,
  ),
  MaintainerDeprecated: rule(
    "The MAINTAINER instruction is deprecated, use a label instead to define an image author",
    () => "Maintainer instruction is deprecated in favor of using label",
  ),
  UndefinedArgInFrom: rule(
    "FROM command must use declared ARGs",
    (name, near) => `FROM argument '${name}' is not declared${meant(near ?? "")}`,
  ),
  WorkdirRelativePath: rule(
    "Relative workdir without an absolute workdir declared within the build can have unexpected results " +
      "if the base image changes",
    (path) => `Relative workdir ${quote(path)} can have unexpected results if the base image changes`,
  ),
  UndefinedVar: rule("Variables should be defined before their use", (name, near) => {
    return `Usage of undefined variable '$${name}'${near ? meant(`$${near}`) : ""}`;
  }),
  MultipleInstructionsDisallowed: rule(
    "Multiple instructions of the same type should not be used in the same stage",
    (command) =>
      `Multiple ${command} instructions should not be used in the same stage because only the last one will be used`,
  ),
  LegacyKeyValueFormat: rule(
    "Legacy key/value format with whitespace separator should not be used",
    (command) => `"${command} key=value" should be used instead of legacy "${command} key value" format`,
  ),
  RedundantTargetPlatform: rule(
    "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
    (variable) => `Setting platform to predefined ${variable} in FROM is redundant as this is the default behavior`,
  ),
  SecretsUsedInArgOrEnv: rule(
    "Sensitive data should not be used in the ARG or ENV commands",
    (command, name) => `Do not use ARG or ENV instructions for sensitive data (${command} ${quote(name)})`,
  ),
  InvalidDefaultArgInFrom: rule(
    "Default value for global ARG results in an empty or invalid base image name",
    (base) => `Default value for ARG ${base} results in empty or invalid base image name`,
  ),
  FromPlatformFlagConstDisallowed: rule(
    "FROM --platform flag should not use a constant value",
    (platform) => `FROM --platform flag should not use constant value ${quote(platform)}`,
  ),
  InvalidDefinitionDescription: {
    ...rule(
      "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. " +
        "If this is not intended to be a description comment, " +
        "add an empty line or comment between the instruction and the comment.",
      (instruction, name) => `Comment for ${instruction} should follow the format: \`# ${name} <description>\``,
    ),
    experimental: true,
  },
  ExposeProtoCasing: rule(
    "Protocol in EXPOSE instruction should be lowercase",
    (port) => `Defined protocol '${port}' in EXPOSE instruction should be lowercase`,
  ),
  ExposeInvalidFormat: rule(
    "IP address and host-port mapping should not be used in EXPOSE instruction. " +
      "This will become an error in a future release",
    (port) => `EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`,
  ),
} satisfies Record<string, Rule<string[]>>;

export type LintRule = keyof typeof lintRules;

export function lintWarning(name: LintRule, location: Location, ...words: string[]): Warning {
  const { description, message } = lintRules[name] as Rule<string[]>;
  const page = name
    .replace(/([a-z])([A-Z])|([A-Z])([A-Z][a-z])/g, (_, a, b, c, d) => `${a ?? c}-${b ?? d}`)
    .toLowerCase();
  const url = `https://docs.docker.com/go/dockerfile/rule/${page}/`;
  return { rule: name, message: message(...words), description, url, location };
}
