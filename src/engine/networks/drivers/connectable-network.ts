/** What a container's connection needs of a network's driver in the kernel: an interface in a namespace, and ports published to it. */
import type { Family } from "../../../linux/inet.ts";
import type { Announcements } from "../../../linux/network/announcement.ts";
import type { DefaultRoute } from "../../../linux/network/rtnetlink-addresses.ts";
import type { SandboxAddress } from "../../../linux/network/sandbox-link.ts";
import type { PreparedSandbox } from "../endpoints/sandbox-pool.ts";
import type { PublicationPlace } from "../ports/publication.ts";
import type { PortTarget } from "../ports/ruleset.ts";

/** Where an interface goes: a namespace and the name of its end on the host. */
export interface SandboxPlace {
  path: string;
  veth: string;
}

export interface ConnectableNetwork {
  /** What containers' interfaces are called, before the number. */
  readonly interfacePrefix: string;
  readonly announcements: Announcements;
  /** False: interfaces have no end on the host. */
  readonly hasHostEnds: boolean;
  /** How a container whose gateway this network is leaves it; undefined: not at all. */
  routeOf(family: Family, gateway: string): DefaultRoute | undefined;
  /** How ports are published on it; undefined: they are not. */
  readonly publication: PublicationPlace | undefined;
  /** A namespace, to be attached or given back. */
  takeSandbox(): Promise<PreparedSandbox>;
  giveBack(sandbox: PreparedSandbox, destroy: (sandbox: PreparedSandbox) => void): Promise<void>;
  /** Gives a sandbox of this network's its addresses, and publishes ports. When it throws, part of it may have been done. */
  attach(place: SandboxPlace, address: SandboxAddress, ports: readonly PortTarget[]): Promise<void>;
  /** As `attach`, for a namespace in use: it gets a further interface. */
  plug(place: SandboxPlace, address: SandboxAddress, ports: readonly PortTarget[]): Promise<void>;
  /** Takes an interface away that is in use. */
  unplug(place: SandboxPlace, address: { ips: string[] }): Promise<void>;
  publishPorts(ports: readonly PortTarget[]): Promise<void>;
  /** Idempotent. */
  unpublish(ports: readonly PortTarget[]): Promise<void>;
}
