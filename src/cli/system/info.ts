/** `info`, `system info`. */
import { CliError, defineCommand } from "../command.ts";
import type { CliContext } from "../context.ts";
import { describeError } from "../errors.ts";
import { parseJson } from "../format/json-text.ts";
import { inspectFormat } from "../format/options.ts";
import { Template } from "../format/template/exec.ts";
import { typed } from "../format/template/go-type.ts";
import { hubAddress } from "../image/registry-auth.ts";
import { systemTypes } from "../inspect/system-types.ts";
import { type CliPlugin, listPlugins, pluginDirectories } from "../plugins/plugins.ts";
import { clientVersion } from "./client-version.ts";
import { clientLines, type ServerInfo, serverLines } from "./info-text.ts";
import { executeShown } from "./version.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  args: { min: 0, max: 0 },
  flags: { format: inspectFormat },
  run: (context, flags) =>
    flags.value.format === "" ? prettyInfo(context) : formattedInfo(context, flags.value.format),
});

interface ClientInfo extends ReturnType<typeof clientVersion> {
  Debug: boolean;
  Plugins: CliPlugin[];
  Warnings: null;
}

async function clientInfo(context: CliContext): Promise<ClientInfo> {
  const Plugins = await listPlugins(pluginDirectories(context.config));
  return { Debug: context.debug, ...clientVersion(context), Plugins, Warnings: null };
}

async function prettyInfo(context: CliContext): Promise<number> {
  const client = await clientInfo(context);
  context.stdout.write(`${["Client:", ...clientLines(client)].join("\n")}\n`);
  for (const { Path, Err } of client.Plugins) {
    if (Err !== undefined) context.stderr.print(`WARNING: Plugin "${Path}" is not valid: ${Err}`);
  }
  context.stdout.write("\nServer:\n");
  let info: ServerInfo;
  try {
    info = await context.client.json<ServerInfo>("GET", "/info");
  } catch (error) {
    context.stderr.print(`ERROR: ${describeError(error)}`);
    throw new CliError("errors pretty printing info");
  }
  const user = context.config.values.auths?.[hubAddress]?.username ?? "";
  context.stdout.write(`${serverLines(info, user, context.debug).join("\n")}\n\n`);
  for (const warning of info.Warnings ?? []) context.stderr.print(warning);
  return 0;
}

async function formattedInfo(context: CliContext, format: string): Promise<number> {
  const source = format === "json" ? "{{json .}}" : format;
  let template: Template;
  try {
    template = new Template(source);
  } catch (error) {
    throw new CliError(`template parsing error: ${describeError(error)}`, 64);
  }
  const ClientInfo = await clientInfo(context);
  let info: object = {};
  const ServerErrors: string[] = [];
  if (needsServer(source, template, ClientInfo)) {
    try {
      const response = await context.client.request("GET", "/info");
      info = parseJson(await response.text()) as object;
    } catch (error) {
      ServerErrors.push(describeError(error));
      context.stderr.print(describeError(error));
    }
    ClientInfo.ApiVersion = context.client.version;
  }
  const value = typed(systemTypes.type("system.dockerInfo"), { ...info, ServerErrors, ClientInfo });
  const show = (text: string) => context.stdout.print(text);
  show(executeShown(template, value, show));
  return ServerErrors.length > 0 ? 1 : 0;
}

/** Templates over the client alone must not need a daemon. */
function needsServer(source: string, template: Template, ClientInfo: ClientInfo): boolean {
  if (!/\.[a-zA-Z]/.test(source)) return true;
  try {
    template.execute(typed(systemTypes.type("system.sparseInfo"), { ClientInfo }));
    return false;
  } catch {
    return true;
  }
}
