/** What a container's log driver and options mean for the shim. The options have been validated at create. */
import type { ShimLog } from "../../../runtime/shim.ts";
import type { ContainerRecord } from "../container-record.ts";

const defaultMaxSize = 10 << 20;
const defaultMaxFile = 3;

/** Undefined for `none`: nothing is kept. Unlike dockerd, logs rotate unless told otherwise, so that they cannot fill the disk. */
export function logSettings(record: ContainerRecord, path: string): ShimLog | undefined {
  const { Type: type, Config: config } = record.hostConfig.LogConfig ?? {};
  if (type === "none") return undefined;
  const options = config ?? {};
  const maxSize = options["max-size"] === undefined ? defaultMaxSize : parseSize(options["max-size"]);
  const maxFile = options["max-file"] === undefined ? defaultMaxFile : Number(options["max-file"]);
  const compress = options["compress"] === undefined ? maxFile > 1 : options["compress"] === "true";
  return { path, maxSize, maxFile, compress, attrs: logAttributes(record, options) };
}

/** `10m` → bytes; -1 and 0: no limit. */
export function parseSize(text: string): number {
  const match = /^(-?\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$/i.exec(text);
  if (!match || Number(match[1]) <= 0) return 0;
  const unit = 1024 ** " kmgt".indexOf((match[2] as string).toLowerCase() || " ");
  return Math.floor(Number(match[1]) * unit);
}

/** `labels`, `labels-regex`, `env`, `env-regex` and `tag`: what `logs --details` shows. */
function logAttributes(
  { config, id, name, imageId }: ContainerRecord,
  options: Record<string, string>,
): Record<string, string> {
  const labels = Object.entries(config.Labels ?? {});
  const env = (config.Env ?? []).map((entry): [string, string] => {
    const at = entry.indexOf("=");
    return at < 0 ? [entry, ""] : [entry.slice(0, at), entry.slice(at + 1)];
  });
  return Object.fromEntries([
    ...chosen(labels, options["labels"], options["labels-regex"]),
    ...chosen(env, options["env"], options["env-regex"]),
    ...(options["tag"] ? [["tag", expandTag(options["tag"], { id, name, image: config.Image ?? "", imageId })]] : []),
  ]);
}

function chosen(pairs: [string, string][], list: string | undefined, pattern: string | undefined): [string, string][] {
  const names = new Set((list ?? "").split(",").filter(Boolean));
  const regex = pattern ? new RegExp(pattern) : undefined;
  return pairs.filter(([key]) => names.has(key) || regex?.test(key));
}

function expandTag(tag: string, values: { id: string; name: string; image: string; imageId: string }): string {
  const fields: Record<string, string> = {
    ID: values.id.slice(0, 12),
    FullID: values.id,
    Name: values.name,
    ImageName: values.image,
    ImageID: values.imageId.replace("sha256:", "").slice(0, 12),
    ImageFullID: values.imageId,
    DaemonName: "gantry",
  };
  return tag.replace(/\{\{\s*\.(\w+)\s*\}\}/g, (whole, field: string) => fields[field] ?? whole);
}
