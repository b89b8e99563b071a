/** `context ls`. */
import { errorMessage } from "../../base/errors.ts";
import { defineCommand } from "../command.ts";
import type { CliContext } from "../context.ts";
import { flag } from "../flag-kinds.ts";
import { formatListing } from "../format/listing.ts";
import { listFormat } from "../format/options.ts";
import { GoObject } from "../format/template/go-type.ts";
import { ellipsis } from "../format/units.ts";
import { defaultContext } from "./docker-endpoint.ts";
import { type ContextMeta, ContextStore } from "./store.ts";

const header = {
  Name: "NAME",
  Description: "DESCRIPTION",
  DockerEndpoint: "DOCKER ENDPOINT",
  Error: "ERROR",
};
const table = "table {{.Name}}{{if .Current}} *{{end}}\\t{{.Description}}\\t{{.DockerEndpoint}}\\t{{.Error}}";

export const command = defineCommand({
  usage: "[OPTIONS]",
  args: { min: 0, max: 0 },
  flags: { format: listFormat, quiet: flag.bool("Only show context names", { short: "q" }) },
  async run(context, flags) {
    const { quiet } = flags.value;
    const source = flags.value.format || "table";
    const format = quiet ? "{{.Name}}" : source === "table" ? table : source;
    const rows = contextRows(context);
    context.stdout.write(formatListing({ format, header, rows }));
    const { hosts } = context.choice;
    const overridden = context.env["DOCKER_HOST"] && hosts.length === 0 && context.choice.context === "";
    if (overridden && !quiet) {
      context.stderr.print(
        "Warning: DOCKER_HOST environment variable overrides the active context. To use a context, either set the global --context flag, or unset DOCKER_HOST environment variable.",
      );
    }
    return 0;
  },
});

function contextRows(context: CliContext): GoObject[] {
  const current = context.contextName;
  const store = new ContextStore(context.config.directory);
  const fallback = defaultContext(context);
  fallback.Metadata.Description = "Current DOCKER_HOST based configuration";
  const all = [...store.list(), fallback].sort((a, b) => (a.Name < b.Name ? -1 : 1));
  const rows = all.map((meta) => contextRow(meta, current));
  if (!all.some(({ Name }) => Name === current)) {
    const missing = { Name: current, Metadata: {}, Endpoints: {} };
    rows.push(
      contextRow(
        missing,
        current,
        failureOf(() => store.get(current)),
      ),
    );
  }
  return rows;
}

function failureOf(run: () => unknown): string {
  try {
    run();
    return "";
  } catch (error) {
    return ellipsis(errorMessage(error), 45);
  }
}

function contextRow(meta: ContextMeta, current: string, error = ""): GoObject {
  return new GoObject("*formatter.clientContextContext", {
    Current: () => meta.Name === current,
    Description: () => meta.Metadata.Description ?? "",
    DockerEndpoint: () => meta.Endpoints.docker?.Host ?? "",
    Error: () => error,
    Name: () => meta.Name,
  });
}
