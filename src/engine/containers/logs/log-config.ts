/** What a container's log driver and options mean for the shim. The options have been validated at create. */
import type { ShimLog } from "../../../runtime/shim.ts";
import { logRotation } from "../../../runtime/spec/log-config.ts";
import type { ContainerRecord } from "../container-record.ts";

/** Undefined for `none`: nothing is kept. Throws what Docker says of options that make no sense together. */
export function logSettings(record: ContainerRecord, path: string): ShimLog | undefined {
  const config = record.hostConfig.LogConfig ?? {};
  if (config.Type === "none") return undefined;
  const { maxSize, maxFiles, compress } = logRotation(config);
  const attrs = logAttributes(record, config.Config ?? {});
  return { path, maxSize: Math.max(maxSize, 0), maxFile: maxFiles, compress, attrs };
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
