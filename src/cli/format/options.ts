/** The `--format` flags: their help texts are docker's. */
import { flag } from "../flag-kinds.ts";

const reference =
  "Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates";

const inspectHelp = `Format output using a custom template:
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template.
${reference}`;

const listHelp = `Format output using a custom template:
'table':            Print output in table format with column headers (default)
'table TEMPLATE':   Print output in table format using the given Go template
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template.
${reference}`;

/** Of listings. */
export const listFormat = flag.string(listHelp);
/** Of `inspect` and its like. */
export const inspectFormat = flag.string(inspectHelp, { short: "f" });
/** Of `events`, where -f is the filter. */
export const plainFormat = flag.string(inspectHelp);
