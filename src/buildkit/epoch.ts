/**
 * The point in time that a reproducible build's results are dated to. Sources: reproducible-builds.org, SOURCE_DATE_EPOCH; moby/buildkit
 * docs/build-repro.md, exporter/containerimage/writer.go.
 */
import { invalidArgument } from "../base/errors.ts";
import type { ImageConfig } from "../oci/image-config.ts";

/** Seconds since 1970. Undefined: times stay as they are. */
export type Epoch = number | undefined;

/** Throws for what is no whole number of seconds. */
export function parseEpoch(text: string | undefined, name = "SOURCE_DATE_EPOCH"): Epoch {
  if (text === undefined || text === "") return undefined;
  if (/^[+-]?\d+$/.test(text) && Math.abs(Number(text)) <= maxSeconds) return Number(text);
  throw invalidArgument(`invalid ${name}: parsing ${JSON.stringify(text)}: it must be a number of seconds since 1970`);
}

/** The last second whose year has four digits, as images' dates have. */
const maxSeconds = 253_402_300_799;

/** The config, with no time later than the epoch. */
export function atEpoch(config: ImageConfig, epoch: Epoch): ImageConfig {
  if (epoch === undefined) return config;
  const time = formatEpoch(epoch);
  const clamp = (created: string | null | undefined) =>
    !created || Date.parse(created) > epoch * 1000 ? time : created;
  return {
    ...config,
    created: clamp(config.created),
    ...(config.history && { history: config.history.map((entry) => ({ ...entry, created: clamp(entry.created) })) }),
  };
}

function formatEpoch(epoch: number): string {
  return new Date(epoch * 1000).toISOString().replace(".000Z", "Z");
}
