/** `version`: this client and the daemon's components. */
import type { SystemVersion } from "../../api/system.ts";
import { errorMessage } from "../../base/errors.ts";
import { CliError, defineCommand } from "../command.ts";
import { inspectFormat } from "../format/options.ts";
import { alignTabs } from "../format/tabwriter.ts";
import { Template, TemplateError } from "../format/template/exec.ts";
import { typed, type ValidVal } from "../format/template/go-type.ts";
import { systemTypes } from "../inspect/system-types.ts";
import { ansiTime, type ClientVersion, clientVersion } from "./client-version.ts";

type Component = SystemVersion["Components"][number];

const columns = { minWidth: 20, padding: 1 };

export const command = defineCommand({
  usage: "[OPTIONS]",
  args: { min: 0, max: 0 },
  flags: { format: inspectFormat },
  async run(context, flags) {
    const { format } = flags.value;
    const template = format === "" ? undefined : parse(format === "json" ? "{{json .}}" : format);
    const client = clientVersion(context);
    let server: SystemVersion | undefined;
    let failure: unknown;
    try {
      server = withEngine(await context.client.json<SystemVersion>("GET", "/version"));
    } catch (error) {
      failure = error;
    }
    client.ApiVersion = context.client.version;
    const value = typed(systemTypes.type("system.versionInfo"), { Client: client, Server: server ?? null });
    const show = (text: string) => context.stdout.write(alignTabs(`${text}\n`, columns));
    show(template ? executeShown(template, value, show) : prettyVersion(client, server));
    if (failure !== undefined) throw failure;
    return 0;
  },
});

/** Runs a template; what it printed before an error is shown all the same. */
export function executeShown(template: Template, value: ValidVal, show: (text: string) => void): string {
  try {
    return template.execute(value);
  } catch (error) {
    if (error instanceof TemplateError) show(error.output);
    throw error;
  }
}

function parse(format: string): Template {
  try {
    return new Template(format, "version");
  } catch (error) {
    throw new CliError(`template parsing error: ${errorMessage(error)}`, 64);
  }
}

/** Old daemons send no components: the engine is made one. Its build time is shown as Go prints it. */
function withEngine(version: SystemVersion): SystemVersion {
  const components = (version.Components ?? []).map((component) =>
    component.Name === "Engine" && component.Details?.["BuildTime"] !== undefined
      ? { ...component, Details: { ...component.Details, BuildTime: ansiTime(component.Details["BuildTime"]) } }
      : component,
  );
  if (components.some(({ Name }) => Name === "Engine")) return { ...version, Components: components };
  const Details = {
    ApiVersion: version.ApiVersion,
    MinAPIVersion: version.MinAPIVersion,
    GitCommit: version.GitCommit,
    GoVersion: version.GoVersion,
    Os: version.Os,
    Arch: version.Arch,
    BuildTime: ansiTime(version.BuildTime ?? ""),
    Experimental: String(version.Experimental ?? false),
  };
  return { ...version, Components: [...components, { Name: "Engine", Version: version.Version, Details }] };
}

function prettyVersion(client: ClientVersion, server: SystemVersion | undefined): string {
  const { ApiVersion = "", DefaultAPIVersion } = client;
  const downgraded = ApiVersion === DefaultAPIVersion ? "" : ` (downgraded from ${DefaultAPIVersion})`;
  const lines = [
    "Client:",
    ` Version:\t${client.Version}`,
    ` API version:\t${ApiVersion}${downgraded}`,
    ` Bun version:\t${Bun.version}`,
    ` Git commit:\t${client.GitCommit}`,
    ` Built:\t${client.BuildTime}`,
    ` OS/Arch:\t${client.Os}/${client.Arch}`,
    ` Context:\t${client.Context}`,
  ];
  if (server) {
    const name = server.Platform?.Name ?? "";
    lines.push("", name === "" ? "Server:" : `Server: ${name}`);
    for (const component of server.Components) lines.push(` ${component.Name}:`, ...componentLines(component));
  }
  return lines.join("\n");
}

function componentLines({ Name, Version, Details = {} }: Component): string[] {
  const detail = (name: string) => Details[name] ?? "";
  if (Name !== "Engine") {
    return [
      `  Version:\t${Version}`,
      ...Object.keys(Details)
        .sort()
        .map((key) => `  ${key}:\t${detail(key)}`),
    ];
  }
  return [
    `  Version:\t${Version}`,
    `  API version:\t${detail("ApiVersion")} (minimum version ${detail("MinAPIVersion")})`,
    `  Go version:\t${detail("GoVersion")}`,
    `  Git commit:\t${detail("GitCommit")}`,
    `  Built:\t${detail("BuildTime")}`,
    `  OS/Arch:\t${detail("Os")}/${detail("Arch")}`,
    `  Experimental:\t${detail("Experimental")}`,
  ];
}
