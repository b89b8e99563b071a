/** The `--network` flag: a name, or the advanced syntax `name=x,alias=y,ip=…`. */
import { itemsKind, splitCsv } from "../../flag-kinds.ts";

/** One `--network`: a name, or `name=x,alias=y,ip=…`. */
export interface NetworkAttachment {
  target: string;
  aliases: string[];
  driverOpts: Record<string, string>;
  links: string[];
  ip: string;
  ip6: string;
  macAddress: string;
  linkLocalIps: string[];
  gwPriority: number;
}

export function emptyAttachment(target: string): NetworkAttachment {
  return {
    target,
    aliases: [],
    driverOpts: {},
    links: [],
    ip: "",
    ip6: "",
    macAddress: "",
    linkLocalIps: [],
    gwPriority: 0,
  };
}

export const networks = itemsKind<NetworkAttachment>("network", parseNetwork);

function parseNetwork(text: string): NetworkAttachment {
  if (!/\w+=\w+(,\w+=\w+)*/.test(text)) return emptyAttachment(text);
  const attachment = emptyAttachment("");
  for (const field of splitCsv(text)) {
    const at = field.indexOf("=");
    if (at <= 0) throw new Error(`invalid field ${field}`);
    setNetworkField(attachment, field.slice(0, at).trim().toLowerCase(), field.slice(at + 1).trim());
  }
  if (attachment.target === "") throw new Error("network name/id is not specified");
  return attachment;
}

function setNetworkField(attachment: NetworkAttachment, key: string, value: string): void {
  if (key === "name") attachment.target = value;
  else if (key === "alias") attachment.aliases.push(value);
  else if (key === "ip") attachment.ip = value;
  else if (key === "ip6") attachment.ip6 = value;
  else if (key === "mac-address") attachment.macAddress = value;
  else if (key === "link-local-ip") attachment.linkLocalIps.push(value);
  else if (key === "driver-opt") {
    const at = value.indexOf("=");
    if (at <= 0) throw new Error("invalid key value pair format in driver options");
    attachment.driverOpts[value.slice(0, at).trim().toLowerCase()] = value.slice(at + 1).trim();
  } else if (key === "gw-priority") {
    if (!/^[+-]?\d+$/.test(value)) throw new Error(`invalid gw-priority (${value}): invalid syntax`);
    attachment.gwPriority = Number(value);
  } else throw new Error(`invalid field key ${key}`);
}
