/** `events`, `system events`. */
import type { EventMessage } from "../../api/system.ts";
import { errorMessage } from "../../base/errors.ts";
import { lines } from "../../base/streams.ts";
import { CliError, defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { parseJson } from "../format/json-text.ts";
import { templateOf } from "../format/listing.ts";
import { plainFormat } from "../format/options.ts";
import { Template } from "../format/template/exec.ts";
import { typed } from "../format/template/go-type.ts";
import { localRfc3339 } from "../format/units.ts";
import { systemTypes } from "../inspect/system-types.ts";
import { filterQuery } from "../values/filters.ts";
import { apiTimestamp } from "../values/timestamp.ts";

export const command = defineCommand({
  usage: "[OPTIONS]",
  args: { min: 0, max: 0 },
  flags: {
    filter: flag.filter("Filter output based on conditions provided", { short: "f" }),
    format: plainFormat,
    since: flag.string("Show all events created since timestamp"),
    until: flag.string("Stream events until this timestamp"),
  },
  async run(context, flags) {
    const { filter, format, since, until } = flags.value;
    const show = formatter(format);
    const time = (text: string) => (text === "" ? undefined : apiTimestamp(text));
    const stream = await context.client.stream("GET", "/events", {
      query: { since: time(since), until: time(until), filters: filterQuery(filter) },
    });
    for await (const line of lines(stream)) {
      if (line.trim() !== "") context.stdout.print(show(line));
    }
    return 0;
  },
});

function formatter(format: string): (line: string) => string {
  if (format === "") return (line) => eventLine(parseJson(line) as RawEvent);
  let template: Template;
  try {
    template = new Template(templateOf(format));
    // Wrong names show before the first event comes.
    template.execute(typed(systemTypes.type("*events.Message"), {}));
  } catch (error) {
    throw new CliError(`Error parsing format: ${errorMessage(error)}`, 64);
  }
  return (line) => template.execute(typed(systemTypes.type("*events.Message"), parseJson(line)));
}

/** Nanoseconds may come as a bigint. */
type RawEvent = Omit<EventMessage, "timeNano"> & { timeNano?: number | bigint };

/** `2026-01-02T03:04:05.000000006Z container start ID (k=v, …)`, the time in the local zone. */
export function eventLine(event: RawEvent): string {
  const attributes = Object.entries(event.Actor.Attributes ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`);
  const nanos = event.timeNano === undefined ? BigInt(event.time ?? 0) * 1_000_000_000n : BigInt(event.timeNano);
  const fraction = (nanos % 1_000_000_000n).toString().padStart(9, "0");
  const time = localRfc3339(Number(nanos / 1_000_000_000n)).replace(/(?<=:\d\d)(?=Z|[+-])/, `.${fraction}`);
  const details = attributes.length > 0 ? ` (${attributes.join(", ")})` : "";
  return `${time} ${event.Type} ${event.Action} ${event.Actor.ID}${details}`;
}
