/** Driver options of macvlan and ipvlan networks, read with dockerd's messages. Pure. */
import { forbidden, internal, invalidArgument } from "../../../base/errors.ts";
import type { NetworkRecord } from "../network-store.ts";
import { isLinkName } from "../settings/network-options.ts";

export interface ParentSettings {
  /** The host's link; where the user names none, a dummy of this daemon's. */
  parent: string;
  /** The parent is a dummy: its containers reach each other only. */
  isDummy: boolean;
  /** The parent is `link.id`, and made from it when it is not there. */
  vlan: { link: string; id: number } | undefined;
  mode: string;
  /** ipvlan's. */
  flag: string;
}

const modes = {
  macvlan: ["bridge", "private", "vepa", "passthru"],
  ipvlan: ["l2", "l3", "l3s"],
} as const;
const flags = ["bridge", "private", "vepa"];

/** Throws `invalid-argument` or `internal`. */
export function parentSettings({ id, driver, options }: NetworkRecord): ParentSettings {
  if (driver !== "macvlan" && driver !== "ipvlan") throw internal(`driver ${driver} has no parent interface`);
  const [standard] = modes[driver];
  const mode = options[`${driver}_mode`] || standard;
  if (!(modes[driver] as readonly string[]).includes(mode)) {
    throw invalidArgument(
      `requested ${driver} mode '${mode}' is not valid, '${standard}' mode is the ${driver} driver default`,
    );
  }
  const flag = options["ipvlan_flag"] || "bridge";
  if (driver === "ipvlan" && !flags.includes(flag)) {
    throw invalidArgument(`requested ipvlan flag '${flag}' is not valid, 'bridge' is the ipvlan driver default`);
  }
  const given = options["parent"] ?? "";
  if (given === "lo") throw invalidArgument(`loopback interface is not a valid ${driver} parent link`);
  if (given !== "" && !isLinkName(given)) {
    throw invalidArgument(`invalid ${driver} parent ${JSON.stringify(given)}: it is no name of an interface`);
  }
  const isDummy = given === "";
  const dummy = `${driver === "macvlan" ? "dm" : "di"}-${id.slice(0, 12)}`;
  return { parent: isDummy ? dummy : given, isDummy, vlan: isDummy ? undefined : vlanOf(given), mode, flag };
}

/** Throws `forbidden` when another network has the parent in a way that excludes this one. */
export function checkParent(record: NetworkRecord, existing: readonly NetworkRecord[]): void {
  const own = parentSettings(record);
  for (const other of existing) {
    if (other.configOnly || other.driver !== record.driver) continue;
    const { parent, mode } = parentSettings(other);
    if (parent !== own.parent) continue;
    if (record.driver === "ipvlan") {
      throw forbidden(`network di-${other.id.slice(0, 12)} is already using parent interface ${parent}`);
    }
    if (own.mode === "passthru" || mode === "passthru") {
      throw forbidden(`macvlan network ${other.id} is already using parent interface ${parent} in mode passthru`);
    }
  }
}

/** `eth0.50`; undefined: no dot in it. */
function vlanOf(parent: string): { link: string; id: number } | undefined {
  const at = parent.lastIndexOf(".");
  if (at < 0) return undefined;
  const [link, text] = [parent.slice(0, at), parent.slice(at + 1)];
  return { link, id: /^\d+$/.test(text) ? Number(text) : Number.NaN };
}

/** To be called when the parent has to be made. Throws what dockerd says of a name that is no VLAN's. */
export function checkVlan({ parent, vlan }: ParentSettings): { link: string; id: number } {
  if (!vlan) throw invalidArgument(`invalid subinterface vlan name ${parent}, example formatting is eth0.10`);
  if (Number.isNaN(vlan.id)) {
    const text = parent.slice(vlan.link.length + 1);
    throw invalidArgument(`unable to parse a valid vlan id from: ${text} (ex. eth0.10 for vlan 10)`);
  }
  if (vlan.id < 1 || vlan.id > 4094) throw invalidArgument(`vlan id must be between 1-4094, received: ${vlan.id}`);
  return vlan;
}
