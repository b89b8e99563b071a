/**
 * Which host ports belong to which container: rows in the `ports` table (the intent) and a bound socket each (so that other
 * processes keep away, and so that a port in use is noticed with dockerd's message). Synchronous.
 */
import { errorCode, errorMessage, internal } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import { familyOf } from "../../../linux/inet.ts";
import { PortSocket } from "../../../linux/port-socket.ts";
import type { Database } from "../../../metadata/database.ts";
import { type Protocol, type PublishedPort, portText } from "./port-bindings.ts";
import { isSamePort, type PortGroup } from "./publication.ts";
import { anyAddresses } from "./ruleset.ts";

export interface PortRange {
  first: number;
  last: number;
}

interface Held extends PublishedPort {
  containerId: string;
  /** undefined: sctp, or the port was taken while the daemon was away. */
  socket: PortSocket | undefined;
}

type PortRow = {
  protocol: Protocol;
  host_ip: string;
  host_port: number;
  container: string;
  container_port: number;
};

export class PortAllocator implements Disposable {
  private readonly database: Database;
  private readonly range: PortRange;
  private readonly logger: Logger;
  /** By protocol and port: the few addresses of the host that it is held on. */
  private readonly held = new Map<string, Held[]>();
  private readonly byContainer = new Map<string, Set<Held>>();
  /** Random ports go upwards from here, so that one just freed is not given out again at once. */
  private next: number;

  constructor(database: Database, range: PortRange, logger: Logger) {
    this.database = database;
    this.range = range;
    this.logger = logger;
    this.next = range.first;
  }

  /** Takes back what the database says and somebody `published`, binding the ports anew. Call once, first. Other rows are deleted. */
  restore(published: readonly { containerId: string; port: PublishedPort }[]): void {
    const wanted = new Set(published.map(({ containerId, port }) => `${containerId} ${port.hostIp} ${keyOf(port)}`));
    for (const row of this.database.all<PortRow>("SELECT * FROM ports")) {
      const port = toPort(row);
      if (wanted.has(`${row.container} ${port.hostIp} ${keyOf(port)}`)) this.bindAgain(row.container, port);
      else this.deleteRow(port);
    }
  }

  /**
   * Gives a container every port it asks for, or none. Run it inside a transaction, which its throwing undoes. Throws `internal`
   * with dockerd's words, to be prefixed by the caller with the endpoint's name. `containerIp` is for these words only.
   */
  allocate(containerId: string, containerIp: string, groups: readonly PortGroup[]): Map<PortGroup, PublishedPort[]> {
    const taken = new Map<PortGroup, Held[]>();
    try {
      // Those with a choice come last, so that they do not choose what another one must have.
      for (const group of groups.toSorted((a, b) => freedom(a) - freedom(b))) {
        taken.set(group, this.allocateGroup(containerId, containerIp, group));
      }
    } catch (error) {
      for (const held of [...taken.values()].flat()) this.drop(held);
      throw error;
    }
    return new Map([...taken].map(([group, list]) => [group, list.map(toPublished)]));
  }

  /** Ports that were released in a transaction which is undone: their rows are there again. */
  retake(containerId: string, ports: readonly PublishedPort[]): void {
    for (const port of ports) this.bindAgain(containerId, port);
  }

  /** All of a container's ports, or some of them. Idempotent. */
  release(containerId: string, ports?: readonly PublishedPort[]): void {
    for (const held of [...(this.byContainer.get(containerId) ?? [])]) {
      if (!ports || ports.some((port) => isSamePort(port, held))) this.drop(held);
    }
    if (!ports) {
      this.database.run("DELETE FROM ports WHERE container = ?", containerId);
      return;
    }
    const sql = "DELETE FROM ports WHERE container = ? AND protocol = ? AND host_ip = ? AND host_port = ?";
    for (const { protocol, hostIp, hostPort } of ports) {
      this.database.run(sql, containerId, protocol, hostIp, hostPort);
    }
  }

  /** Closes the sockets; the rows stay. */
  [Symbol.dispose](): void {
    for (const list of this.held.values()) for (const held of list) held.socket?.[Symbol.dispose]();
    this.held.clear();
    this.byContainer.clear();
  }

  /** The first port of the range that is free on all of the addresses. */
  private allocateGroup(containerId: string, containerIp: string, group: PortGroup): Held[] {
    const { protocol, containerPort, hostIps } = group;
    let failure: unknown;
    for (const hostPort of this.candidates(group)) {
      const taken: Held[] = [];
      try {
        for (const hostIp of hostIps) {
          taken.push(this.take(containerId, containerIp, { protocol, containerPort, hostIp, hostPort }));
        }
        return taken;
      } catch (error) {
        failure = error;
        for (const held of taken) {
          this.drop(held);
          this.deleteRow(held);
        }
      }
    }
    throw failure ?? internal("no free port in the ephemeral range");
  }

  private *candidates({ firstHostPort, lastHostPort }: PortGroup): Generator<number> {
    if (firstHostPort !== 0) {
      for (let port = firstHostPort; port <= lastHostPort; port++) yield port;
      return;
    }
    const { first, last } = this.range;
    for (let count = first; count <= last; count++) {
      const port = this.next;
      this.next = port >= last ? first : port + 1;
      yield port;
    }
  }

  private take(containerId: string, containerIp: string, port: PublishedPort): Held {
    const { protocol, hostIp, hostPort, containerPort } = port;
    const conflict = this.held.get(keyOf(port))?.find((held) => excludes(held.hostIp, hostIp));
    if (conflict) throw internal(`Bind for ${conflict.hostIp}:${hostPort} failed: port is already allocated`);
    const socket = bindPort(port, containerIp);
    try {
      const sql = "INSERT INTO ports VALUES (?, ?, ?, ?, ?)";
      this.database.run(sql, protocol, hostIp, hostPort, containerId, containerPort);
    } catch (error) {
      socket?.[Symbol.dispose]();
      throw error;
    }
    return this.hold({ protocol, hostIp, hostPort, containerPort, containerId, socket });
  }

  private bindAgain(containerId: string, port: PublishedPort): void {
    let socket: PortSocket | undefined;
    try {
      socket = bindPort(port, "");
    } catch (error) {
      this.logger.warn("a published port was taken by another process", {
        container: containerId,
        port: portText({ ...port, containerPort: port.hostPort }),
        error: errorMessage(error),
      });
    }
    this.hold({ ...toPublished(port), containerId, socket });
  }

  private hold(held: Held): Held {
    const list = this.held.get(keyOf(held));
    if (list) list.push(held);
    else this.held.set(keyOf(held), [held]);
    const own = this.byContainer.get(held.containerId);
    if (own) own.add(held);
    else this.byContainer.set(held.containerId, new Set([held]));
    return held;
  }

  private drop(held: Held): void {
    held.socket?.[Symbol.dispose]();
    const list = (this.held.get(keyOf(held)) ?? []).filter((entry) => entry !== held);
    if (list.length > 0) this.held.set(keyOf(held), list);
    else this.held.delete(keyOf(held));
    const own = this.byContainer.get(held.containerId);
    own?.delete(held);
    if (own?.size === 0) this.byContainer.delete(held.containerId);
  }

  private deleteRow({ protocol, hostIp, hostPort }: PublishedPort): void {
    const sql = "DELETE FROM ports WHERE protocol = ? AND host_ip = ? AND host_port = ?";
    this.database.run(sql, protocol, hostIp, hostPort);
  }
}

function toPort(row: PortRow): PublishedPort {
  return {
    protocol: row.protocol,
    hostIp: row.host_ip,
    hostPort: row.host_port,
    containerPort: row.container_port,
  };
}

function keyOf({ protocol, hostPort }: PublishedPort): string {
  return `${protocol}/${hostPort}`;
}

/** Without what else an object may say. */
function toPublished({ protocol, hostIp, hostPort, containerPort }: PublishedPort): PublishedPort {
  return { protocol, hostIp, hostPort, containerPort };
}

/** Whether one port cannot be had on both addresses. */
function excludes(a: string, b: string): boolean {
  if (familyOf(a) !== familyOf(b)) return false;
  const any = anyAddresses[familyOf(a)];
  return a === b || a === any || b === any;
}

const bindErrors: Record<string, string> = {
  EADDRINUSE: "address already in use",
  EADDRNOTAVAIL: "cannot assign requested address",
  EACCES: "permission denied",
};

function bindPort(
  { protocol, hostIp, hostPort, containerPort }: PublishedPort,
  containerIp: string,
): PortSocket | undefined {
  // The kernel may lack SCTP sockets and forward SCTP all the same.
  if (protocol === "sctp") return undefined;
  try {
    return new PortSocket(protocol, hostIp, hostPort);
  } catch (cause) {
    const words = bindErrors[errorCode(cause) ?? ""] ?? errorMessage(cause);
    const what = `${hostIp}:${hostPort}:${containerIp}:${containerPort}/${protocol}`;
    throw internal(`failed to bind host port for ${what}: ${words}`, { cause });
  }
}

/** How many ports will do; any is the most. */
function freedom({ firstHostPort, lastHostPort }: PortGroup): number {
  return firstHostPort === 0 ? 1 << 16 : lastHostPort - firstHostPort;
}
