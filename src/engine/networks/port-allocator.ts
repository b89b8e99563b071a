/**
 * Which host ports belong to which container: rows in the `ports` table (the intent) and a bound socket each (so that other
 * processes keep away, and so that a port in use is noticed with dockerd's message). Synchronous.
 */
import { errorCode, errorMessage, internal } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { PortSocket } from "../../linux/port-socket.ts";
import type { Database } from "../../metadata/database.ts";
import { type PortRequest, type Protocol, type PublishedPort, portText } from "./port-bindings.ts";

export interface PortRange {
  first: number;
  last: number;
}

interface Held extends PublishedPort {
  containerId: string;
  /** undefined: sctp, or the port was taken while the daemon was away. */
  socket: PortSocket | undefined;
}

interface PortRow {
  protocol: Protocol;
  host_ip: string;
  host_port: number;
  container: string;
  container_port: number;
}

const anyAddress = "0.0.0.0";

export class PortAllocator implements Disposable {
  private readonly database: Database;
  private readonly range: PortRange;
  private readonly logger: Logger;
  private readonly held: Held[] = [];
  /** Random ports go upwards from here, so that one just freed is not given out again at once. */
  private next: number;

  constructor(database: Database, range: PortRange, logger: Logger) {
    this.database = database;
    this.range = range;
    this.logger = logger;
    this.next = range.first;
  }

  /** Takes back what the database says, binding the ports anew. Call once, before any other use. Rows of others are deleted. */
  restore(live: ReadonlySet<string>): PublishedPort[] {
    for (const row of this.database.all<PortRow & Record<string, string | number>>("SELECT * FROM ports")) {
      if (!live.has(row.container)) this.database.run("DELETE FROM ports WHERE container = ?", row.container);
      else this.restoreOne(row);
    }
    return this.held.map(({ protocol, hostIp, hostPort, containerPort }) => ({
      protocol,
      hostIp,
      hostPort,
      containerPort,
    }));
  }

  /** All ports that a container has. */
  listByContainer(containerId: string): PublishedPort[] {
    return this.held.filter((held) => held.containerId === containerId);
  }

  /**
   * Gives a container every port it asks for, or none. Run it inside a transaction, which its throwing undoes. Throws `internal`
   * with dockerd's words, to be prefixed by the caller with the endpoint's name. `containerIp` is for these words only.
   */
  allocate(
    containerId: string,
    containerIp: string,
    requests: readonly PortRequest[],
    defaultIp: string,
  ): PublishedPort[] {
    const taken: Held[] = [];
    try {
      for (const request of requests) {
        const held = this.allocateOne(containerId, containerIp, { ...request, hostIp: request.hostIp || defaultIp });
        taken.push(held);
      }
      return taken;
    } catch (error) {
      for (const held of taken) this.drop(held);
      throw error;
    }
  }

  /** Idempotent. */
  release(containerId: string): void {
    for (const held of this.held.filter((entry) => entry.containerId === containerId)) this.drop(held);
    this.database.run("DELETE FROM ports WHERE container = ?", containerId);
  }

  /** Closes the sockets; the rows stay. */
  [Symbol.dispose](): void {
    for (const held of this.held.splice(0)) held.socket?.[Symbol.dispose]();
  }

  private allocateOne(containerId: string, containerIp: string, request: PortRequest): Held {
    let failure: unknown;
    for (const hostPort of this.candidates(request)) {
      const port: PublishedPort = { ...request, hostPort };
      try {
        return this.take(containerId, containerIp, port);
      } catch (error) {
        failure = error;
      }
    }
    throw failure ?? internal("no free port in the ephemeral range");
  }

  private *candidates({ firstHostPort, lastHostPort }: PortRequest): Generator<number> {
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
    const conflict = this.held.find(
      (held) =>
        held.protocol === protocol &&
        held.hostPort === hostPort &&
        (held.hostIp === hostIp || held.hostIp === anyAddress || hostIp === anyAddress),
    );
    if (conflict) throw internal(`Bind for ${conflict.hostIp}:${hostPort} failed: port is already allocated`);
    const socket = bindPort(port, containerIp);
    try {
      const sql = "INSERT INTO ports VALUES (?, ?, ?, ?, ?)";
      this.database.run(sql, protocol, hostIp, hostPort, containerId, containerPort);
    } catch (error) {
      socket?.[Symbol.dispose]();
      throw error;
    }
    const held: Held = { protocol, hostIp, hostPort, containerPort, containerId, socket };
    this.held.push(held);
    return held;
  }

  private restoreOne(row: PortRow): void {
    const port: PublishedPort = {
      protocol: row.protocol,
      hostIp: row.host_ip,
      hostPort: row.host_port,
      containerPort: row.container_port,
    };
    let socket: PortSocket | undefined;
    try {
      socket = bindPort(port, "");
    } catch (error) {
      this.logger.warn("a published port was taken by another process while the daemon was away", {
        container: row.container,
        port: portText({ ...port, containerPort: row.host_port }),
        error: errorMessage(error),
      });
    }
    this.held.push({ ...port, containerId: row.container, socket });
  }

  private drop(held: Held): void {
    held.socket?.[Symbol.dispose]();
    this.held.splice(this.held.indexOf(held), 1);
  }
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
