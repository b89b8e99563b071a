/** Options of the driver `local`: what they must be, and the mount that they ask for. Words and rules are Docker's. */
import { lookup } from "node:dns/promises";
import { isIP, isIPv4 } from "node:net";
import { internal, invalidArgument } from "../../../base/errors.ts";
import { parseSize } from "../../../runtime/spec/log-config.ts";

export type LocalOptions = Record<string, string>;

/** Which others an option needs. */
const needs: Record<string, readonly string[]> = {
  type: ["device"],
  o: ["device", "type"],
  device: ["type"],
  size: [],
};

/** Throws `invalid-argument`. */
export function checkOptions(options: LocalOptions): void {
  for (const option of Object.keys(options)) {
    if (!Object.hasOwn(needs, option)) throw invalidArgument(`invalid option: ${JSON.stringify(option)}`);
  }
  for (const option of Object.keys(options)) {
    const missing = needs[option]?.find((other) => !Object.hasOwn(options, other));
    if (missing !== undefined) throw invalidArgument(`missing required option: ${JSON.stringify(missing)}`);
  }
  for (const [option, value] of Object.entries(options)) {
    // The kernel would take it for the end.
    if (value.includes("\0")) throw invalidArgument(`invalid option: ${JSON.stringify(option)} holds a NUL byte`);
  }
  const { size } = options;
  if (size === undefined) return;
  const bytes = parseSize(size, 1024);
  if (typeof bytes === "string") throw invalidArgument(bytes);
  if (bytes > 0) throw invalidArgument("quota size requested but no quota support");
}

/** Whether a volume's directory is only the place of a mount. */
export function needsMount(options: LocalOptions | null | undefined): boolean {
  return Boolean(options?.["device"] || options?.["type"]);
}

export interface OptionMount {
  device: string;
  type: string;
  options: string;
}

/** What to mount. Host names are resolved here, for the kernel knows none. Rejects in Docker's words. */
export async function toMount({ device = "", type = "", o = "" }: LocalOptions): Promise<OptionMount> {
  if (device === "") throw internal("missing device in volume options");
  if (type !== "nfs" && type !== "cifs") return { device, type, options: o };
  const address = /(?:^|,)addr=([^,]*)/.exec(o)?.[1];
  if (address) {
    if (isIPv4(address)) return { device, type, options: o };
    return { device, type, options: o.replace(`addr=${address}`, `addr=${await resolve(address)}`) };
  }
  const host = type === "cifs" ? /^\/\/([^/]+)/.exec(device)?.[1] : undefined;
  if (host === undefined || isIP(host)) return { device, type, options: o };
  return { device, type, options: [o, `addr=${await resolve(host)}`].filter(Boolean).join(",") };
}

async function resolve(host: string): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (cause) {
    throw internal(`error resolving passed in network volume address: lookup ${host}: no such host`, { cause });
  }
}

/** An error's message without the password that is among the options. */
export function hidePassword(message: string, options: string): string {
  const password = /(?:^|,)password=([^,]*)/.exec(options)?.[1];
  return password ? message.replaceAll(`password=${password}`, "password=********") : message;
}
