/** Links that share a parent: macvlan and ipvlan interfaces in namespaces, and parents made for them. Synchronous. */
import { randomBytes } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { conflict, EngineError, errorCode, internal, unavailable } from "../../base/errors.ts";
import { createNetns, withNetns } from "./netns.ts";
import { type Link, RouteSocket } from "./rtnetlink.ts";
import { configureLink, freeName, type SandboxAddress, silenceIpv6 } from "./sandbox-link.ts";

export interface ParentRequest {
  name: string;
  /** Says whose link it is if it was made here; kept as its alias. */
  owner: string;
  /** How it is made where it is missing; undefined: not at all. */
  make: { kind: "dummy" } | { kind: "vlan"; link: string; id: number } | undefined;
}

/** An interface in a namespace, over a parent. */
export interface ChildPlan extends SandboxAddress {
  kind: "macvlan" | "ipvlan";
  parent: string;
  /** `bridge`, `l2` … */
  mode: string;
  /** ipvlan's: `bridge`, `private`, `vepa`. */
  flag: string;
  /** 0: the parent's. */
  mtu: number;
}

/** What the kernel has not: its configuration's name for it. */
const missing = {
  dummy: "CONFIG_DUMMY",
  vlan: "CONFIG_VLAN_8021Q",
  macvlan: "CONFIG_MACVLAN",
  ipvlan: "CONFIG_IPVLAN",
};

/** Makes the parent if it is not there. Idempotent. Throws `unavailable` where the kernel cannot. */
export function openParent(route: RouteSocket, { name, owner, make }: ParentRequest): void {
  const found = route.findLink(name);
  if (found) {
    if (make?.kind === "dummy" && found.alias !== owner) throw conflict(`link ${name} exists and is not this daemon's`);
    return;
  }
  if (!make) throw unavailable(`parent interface ${name} was not found on the host`);
  const base = make.kind === "vlan" ? route.findLink(make.link) : undefined;
  if (make.kind === "vlan" && !base) {
    throw unavailable(`failed to find master interface ${make.link} on the Docker host: Link not found`);
  }
  translated(make.kind, make.kind === "vlan" ? `failed to create ${name} vlan link: ` : "", () => {
    if (make.kind === "dummy") route.createDummy(name);
    else route.createVlan(name, (base as Link).index, make.id);
  });
  route.setLink(route.getLink(name).index, { up: true, alias: owner });
}

/** Takes a parent away that `openParent` made. Idempotent. */
export function removeParent(route: RouteSocket, { name, owner }: Pick<ParentRequest, "name" | "owner">): void {
  const link = route.findLink(name);
  if (link && link.alias === owner) route.deleteLink(link.index);
}

/** A namespace with nothing but its loopback. */
export function createEmptySandbox(path: string): void {
  createNetns(path, () => {
    using route = new RouteSocket();
    route.setLink(1, { up: true });
  });
}

/** Hangs an interface over a parent into a namespace. Undone when a step fails. */
export function plugChild(route: RouteSocket, plan: ChildPlan): void {
  const { kind, path, label } = plan;
  const parent = route.findLink(plan.parent);
  if (!parent) throw unavailable(`parent interface ${plan.parent} was not found on the host`);
  using socket = withNetns(path, () => new RouteSocket());
  const name = freeName(plan.interface, label, socket);
  // Kernels of before 6.14 refuse a name that the host's own namespace has, as it nearly always has an eth0.
  const firstName = `child${randomBytes(5).toString("hex")}`;
  const netnsFd = openSync(path, "r");
  try {
    translated(kind, `failed to create the ${kind} port: `, () =>
      route.createChild({ ...plan, name: firstName, parent: parent.index, netnsFd }),
    );
    const { index } = socket.getLink(firstName);
    try {
      withNetns(path, () => silenceIpv6(firstName));
      configureLink(socket, index, name, { name }, plan);
    } catch (error) {
      socket.deleteLink(index);
      throw error;
    }
  } finally {
    closeSync(netnsFd);
  }
}

/** Takes the interface that has one of the addresses out of a namespace. Idempotent. */
export function unplugChild(path: string, ips: readonly string[]): void {
  using socket = withNetns(path, () => new RouteSocket());
  const found = socket.listAddresses().find(({ ip }) => ips.includes(ip));
  if (found) socket.deleteLink(found.link);
}

/** In dockerd's words, and what is missing. */
function translated(kind: keyof typeof missing, prefix: string, work: () => void): void {
  try {
    work();
  } catch (cause) {
    if (cause instanceof EngineError) throw cause;
    const code = errorCode(cause);
    if (code === "EOPNOTSUPP") {
      throw unavailable(`${prefix}operation not supported: the kernel has no ${kind} links (${missing[kind]})`, {
        cause,
      });
    }
    const words = code === "EINVAL" ? "invalid argument" : code === "EBUSY" ? "device or resource busy" : undefined;
    throw words ? internal(prefix + words, { cause }) : cause;
  }
}
