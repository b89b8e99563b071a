/** `docker ps`: which containers a listing shows, and how each looks in it. */
import type { ContainerSummary, MountPoint } from "../../../api/containers.ts";
import { matchesLabel } from "../../../api/filters.ts";
import type { EndpointSettings } from "../../../api/networks.ts";
import type { Filters } from "../../../api/system.ts";
import { fromRfc3339 } from "../../../base/clock.ts";
import { invalidArgument } from "../../../base/errors.ts";
import type { Container } from "../container.ts";
import { commandOf } from "../container-record.ts";
import { describeStatus, toApiPorts } from "./status.ts";

export interface ListOptions {
  all: boolean;
  limit?: number | undefined;
  filters: Filters;
}

export interface ListContext {
  find(nameOrId: string): Container | undefined;
  /** Image ids that a filter's `ancestor` value stands for: the image and all built on it. */
  descendants(image: string): Set<string>;
}

type Test = (container: Container, value: string, context: ListContext) => boolean;

const statuses = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];
const trueValues = ["1", "true"];
const falseValues = ["0", "false"];
const healths = ["none", "starting", "healthy", "unhealthy"];

const tests: Record<string, Test> = {
  id: ({ id }, value) => id.startsWith(value) || matches(id, value),
  name: ({ record }, value) => matches(`/${record.name}`, value) || matches(record.name, value),
  label: ({ record }, value) => matchesLabel(record.config.Labels, value),
  "label!": ({ record }, value) => !matchesLabel(record.config.Labels, value),
  status: ({ record }, value) => record.state.status === value,
  exited: ({ record }, value) => record.state.status === "exited" && record.state.exitCode === Number(value),
  ancestor: ({ record }, value, context) => context.descendants(value).has(record.imageId),
  volume: ({ record }, value) =>
    record.mounts.some((mount) => mount.name === value || mount.destination === value || mount.source === value),
  network: ({ record }, value) =>
    Object.entries(record.networkSettings.Networks).some(
      ([name, { NetworkID }]) => name === value || NetworkID?.startsWith(value),
    ),
  publish: ({ record }, value) => matchesPort(record.networkSettings.Ports, value, "public"),
  expose: ({ record }, value) =>
    matchesPort({ ...record.config.ExposedPorts, ...record.networkSettings.Ports }, value, "private"),
  health: ({ health }, value) => (health?.Status ?? "none") === value,
  isolation: (_container, value) => value === "default",
  "is-task": (_container, value) => !isTrue(value),
  before: (container, value, context) => order(container) < order(required(context, value)),
  since: (container, value, context) => order(container) > order(required(context, value)),
};

/** Newest first. Throws `invalid-argument` for unknown filters or values. */
export function selectContainers(containers: Container[], options: ListOptions, context: ListContext): Container[] {
  validate(options.filters);
  const showsAll = options.all || (options.limit ?? 0) > 0 || impliesAll(options.filters);
  const selected = containers
    .filter((container) => showsAll || container.record.state.pid !== 0 || container.isRestarting)
    .filter((container) => matchesAll(container, options.filters, context))
    .sort((a, b) => (order(a) < order(b) ? 1 : -1));
  return options.limit !== undefined && options.limit > 0 ? selected.slice(0, options.limit) : selected;
}

function matchesAll(container: Container, filters: Filters, context: ListContext): boolean {
  return Object.entries(filters).every(([name, values]) => {
    const test = tests[name] as Test;
    // All labels must match; of other filters one value is enough.
    return name.startsWith("label")
      ? values.every((value) => test(container, value, context))
      : values.some((value) => test(container, value, context));
  });
}

/** It asks about containers that do not run, so Docker shows all that match. */
function impliesAll(filters: Filters): boolean {
  return (filters["status"]?.length ?? 0) > 0;
}

function validate(filters: Filters): void {
  for (const [name, values] of Object.entries(filters)) {
    if (!Object.hasOwn(tests, name)) throw invalidArgument(`invalid filter '${name}'`);
    if (name === "is-task") validateBoolean(name, values);
    for (const value of values) validateValue(name, value);
  }
}

/** Docker takes one answer to a question. */
function validateBoolean(name: string, values: readonly string[]): void {
  const known = [...trueValues, ...falseValues];
  if (values.length !== 1 || !known.includes(values[0] ?? "")) {
    throw invalidArgument(`invalid filter '${name}=[${values.join(" ")}]'`);
  }
}

function validateValue(name: string, value: string): void {
  if ((name === "publish" || name === "expose") && !/^\d+(?:-\d+)?(?:\/\w+)?$/.test(value)) {
    throw invalidArgument(
      `error while looking up for ${name} ${value}: strconv.ParseUint: parsing ${JSON.stringify(value.split("/")[0])}: invalid syntax`,
    );
  }
  if (name === "status" && !statuses.includes(value)) {
    throw invalidArgument(
      `invalid filter 'status=${value}': invalid value for state (${value}): must be one of ${statuses.join(", ")}`,
    );
  }
  if (name === "exited" && !/^-?\d+$/.test(value)) {
    throw invalidArgument(
      `invalid filter 'exited=${value}': strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`,
    );
  }
  if (name === "health" && !healths.includes(value)) {
    throw invalidArgument(
      `invalid filter 'health=${value}': invalid value for health (${value}): must be one of ${healths.join(", ")}`,
    );
  }
}

function required(context: ListContext, nameOrId: string): Container {
  const container = context.find(nameOrId);
  if (!container) throw invalidArgument(`No such container: ${nameOrId}`);
  return container;
}

function order({ record }: Container): bigint {
  return fromRfc3339(record.created) ?? 0n;
}

function matches(text: string, pattern: string): boolean {
  try {
    return new RegExp(pattern).test(text);
  } catch {
    return text.includes(pattern);
  }
}

function matchesPort(ports: Record<string, unknown>, filter: string, side: "public" | "private"): boolean {
  const [range = "", protocol = "tcp"] = filter.split("/");
  const [first = 0, last = first] = range.split("-").map(Number);
  return Object.entries(ports).some(([key, bindings]) => {
    const [port, type = "tcp"] = key.split("/");
    if (type !== protocol) return false;
    const numbers =
      side === "private"
        ? [Number(port)]
        : (Array.isArray(bindings) ? bindings : []).map((binding: { HostPort?: string }) => Number(binding.HostPort));
    return numbers.some((number) => number >= first && number <= last);
  });
}

function isTrue(value: string): boolean {
  return trueValues.includes(value);
}

export interface SummaryParts {
  /** The image's name, or its id when the name has moved on to another image. */
  image: string;
  names: string[];
  mounts: MountPoint[];
  sizes?: { SizeRw: number; SizeRootFs: number } | undefined;
}

export function toSummary(container: Container, { image, names, mounts, sizes }: SummaryParts): ContainerSummary {
  const { record } = container;
  const [path, ...args] = commandOf(record.config);
  return {
    Id: record.id,
    Names: names,
    Image: image,
    ImageID: record.imageId,
    Command: [path ?? "", ...args.map(quoteArgument)].join(" "),
    Created: Number((fromRfc3339(record.created) ?? 0n) / 1_000_000_000n),
    Ports: toApiPorts(record.networkSettings.Ports),
    ...(sizes ?? {}),
    Labels: record.config.Labels ?? {},
    State: record.state.status,
    Status: describeStatus(container, Date.now()),
    HostConfig: {
      NetworkMode: record.hostConfig.NetworkMode ?? "default",
      ...(record.hostConfig.Annotations ? { Annotations: record.hostConfig.Annotations } : {}),
    },
    NetworkSettings: { Networks: summaryEndpoints(record.networkSettings.Networks) },
    Mounts: mounts,
  };
}

/** Arguments with a space are quoted, as dockerd does. */
function quoteArgument(text: string): string {
  return text.includes(" ") ? `'${text}'` : text;
}

/** Lists tell addresses only, as dockerd's do. */
function summaryEndpoints(networks: Record<string, EndpointSettings>): Record<string, EndpointSettings> {
  const shorten = (endpoint: EndpointSettings) => ({
    ...endpoint,
    Links: null,
    Aliases: null,
    DriverOpts: null,
    DNSNames: null,
  });
  return Object.fromEntries(Object.entries(networks).map(([name, endpoint]) => [name, shorten(endpoint)]));
}
