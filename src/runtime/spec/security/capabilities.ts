/** Capabilities: Docker's defaults, and what --cap-add, --cap-drop and --privileged make of them. */
import { invalidArgument } from "../../../base/errors.ts";
import type { HostFacts } from "../../../linux/host-facts.ts";

/** In Docker's order. */
export const defaultCapabilities: readonly string[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FSETID",
  "CAP_FOWNER",
  "CAP_MKNOD",
  "CAP_NET_RAW",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETFCAP",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_SYS_CHROOT",
  "CAP_KILL",
  "CAP_AUDIT_WRITE",
];

export interface CapabilityRequest {
  CapAdd?: string[] | null;
  CapDrop?: string[] | null;
  Privileged?: boolean;
}

type Known = Pick<HostFacts, "capabilities" | "knownCapabilities">;

/** The capabilities of a container. Those that this daemon does not have itself cannot be given and are left out. */
export function resolveCapabilities({ CapAdd, CapDrop, Privileged }: CapabilityRequest, host: Known): string[] {
  const own = new Set(host.capabilities);
  // Docker ignores --cap-drop of a privileged container.
  if (Privileged) return host.capabilities;
  const adds = normalizeCapabilities(CapAdd ?? [], host, "CapAdd");
  const drops = normalizeCapabilities(CapDrop ?? [], host, "CapDrop");
  const start = adds.includes("ALL") ? host.capabilities : drops.includes("ALL") ? [] : defaultCapabilities;
  const wanted = [...start, ...adds].filter((name) => name !== "ALL" && !drops.includes(name) && own.has(name));
  return [...new Set(wanted)];
}

/** `net_admin` → `CAP_NET_ADMIN`, `all` → `ALL`. Throws Docker's messages for names unknown or not this daemon's to give. */
export function normalizeCapabilities(names: readonly string[], host: Known, field: "CapAdd" | "CapDrop"): string[] {
  return names.map((given) => {
    const upper = given.toUpperCase();
    if (upper === "ALL") return upper;
    const name = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
    if (!host.knownCapabilities.includes(name))
      throw invalidArgument(`invalid ${field}: unknown capability: "${name}"`);
    if (!host.capabilities.includes(name)) {
      throw invalidArgument(
        `invalid ${field}: capability not supported by your kernel or not available in the current environment: "${name}"`,
      );
    }
    return name;
  });
}
