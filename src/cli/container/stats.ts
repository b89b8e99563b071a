/** `container stats`: a table that is drawn anew twice a second, or one reading. */
import type { ContainerSummary } from "../../api/containers.ts";
import type { EventMessage } from "../../api/system.ts";
import { lines } from "../../base/streams.ts";
import { CliError, defineCommand } from "../command.ts";
import type { CliContext } from "../context.ts";
import { describeError } from "../errors.ts";
import { flag } from "../flag-kinds.ts";
import { formatListing } from "../format/listing.ts";
import { listFormat } from "../format/options.ts";
import { filterQuery } from "../values/filters.ts";
import { StatsCollector, statsHeader, statsRow } from "./stats-row.ts";

const table =
  "table {{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}";
const redrawMillis = 500;

export const command = defineCommand({
  usage: "[OPTIONS] [CONTAINER...]",
  args: { min: 0 },
  flags: {
    all: flag.bool("Show all containers (default shows just running)", { short: "a" }),
    "no-stream": flag.bool("Disable streaming stats and only pull the first result"),
    "no-trunc": flag.bool("Do not truncate output"),
    format: listFormat,
  },
  async run(context, flags, names) {
    const { all, "no-stream": once, "no-trunc": whole } = flags.value;
    const board = new Board(context, !once);
    const watch = names.length === 0 && !once ? await watchContainers(context, board, all) : undefined;
    const listed = names.length > 0 ? names : await listContainers(context, all);
    await Promise.all(listed.map((name) => board.add(name)));
    if (names.length > 0) board.throwFailures();
    const given = flags.value.format || context.config.values.statsFormat || "table";
    const format = given === "table" ? table : given;
    const draw = () => formatListing({ format, header: statsHeader, rows: board.rows(!whole) });
    if (once) {
      if (board.size > 0) context.stdout.write(draw());
      return 0;
    }
    while (!watch?.ended) {
      await Bun.sleep(redrawMillis);
      // Each line clears what an older, longer one left behind; the end clears lines of containers that are gone.
      context.stdout.write(`\x1b[H${draw().replaceAll("\n", " \x1b[K\n")}\x1b[J`);
    }
    if (watch.failure) throw watch.failure;
    return 0;
  },
});

interface Watch {
  ended: boolean;
  failure: unknown;
}

async function listContainers(context: CliContext, all: boolean): Promise<string[]> {
  const query = { all: all || undefined };
  const containers = await context.client.json<ContainerSummary[]>("GET", "/containers/json", { query });
  return containers.map((container) => container.Id);
}

/** Adds and removes containers as they come and go, up to the end of the daemon's event stream. */
async function watchContainers(context: CliContext, board: Board, all: boolean): Promise<Watch> {
  const query = { filters: filterQuery(["type=container"]) };
  const stream = await context.client.stream("GET", "/events", { query });
  const follow = async () => {
    for await (const line of lines(stream)) {
      if (line === "") continue;
      const event = JSON.parse(line) as EventMessage;
      if (event.Action === "start" || (all && event.Action === "create")) void board.add(event.Actor.ID);
      if (event.Action === "die" && !all) board.remove(event.Actor.ID);
    }
  };
  const watch: Watch = { ended: false, failure: undefined };
  follow().then(
    () => {
      watch.ended = true;
    },
    (error: unknown) => {
      watch.ended = true;
      watch.failure = error;
    },
  );
  return watch;
}

/** The containers shown, in the order they were added. */
class Board {
  private readonly context: CliContext;
  private readonly follow: boolean;
  private readonly collectors = new Map<string, StatsCollector>();

  constructor(context: CliContext, follow: boolean) {
    this.context = context;
    this.follow = follow;
  }

  get size(): number {
    return this.collectors.size;
  }

  /** Resolves with the container's first reading. */
  async add(name: string): Promise<void> {
    if (this.collectors.has(name)) return;
    const collector = new StatsCollector(this.context.client, name);
    this.collectors.set(name, collector);
    await collector.start(this.follow);
  }

  remove(name: string): void {
    this.collectors.get(name)?.stop();
    this.collectors.delete(name);
  }

  rows(truncate: boolean) {
    return [...this.collectors.values()].map((collector) => statsRow(collector.entry, truncate));
  }

  throwFailures(): void {
    const failures = [...this.collectors.values()].flatMap(({ failure }) => (failure ? [describeError(failure)] : []));
    if (failures.length > 0) throw new CliError(failures.join("\n"));
  }
}
