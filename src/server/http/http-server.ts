/** Accepts connections of any number of listeners and serves them with one handler; closes them gracefully. */
import type { Server as NetServer, Socket } from "node:net";
import { Connection } from "./connection.ts";
import type { HttpHandler } from "./message.ts";
import type { Relay } from "./relay.ts";

export interface HttpServerOptions {
  handler: HttpHandler;
  onError: (error: unknown) => void;
  /** Carries large bodies that go from or to other processes. */
  relay?: Relay;
}

export class HttpServer {
  private readonly options: HttpServerOptions;
  private readonly listeners = new Set<NetServer>();
  private readonly connections = new Map<Socket, Connection>();

  constructor(options: HttpServerOptions) {
    this.options = options;
  }

  /** How many are open now, taken over ones (attach, exec) among them. */
  get connectionCount(): number {
    return this.connections.size;
  }

  /** Serves what this listener accepts (`connection` of net, `secureConnection` of tls). Made with `allowHalfOpen`. */
  attach(listener: NetServer, event: "connection" | "secureConnection" = "connection"): void {
    this.listeners.add(listener);
    listener.on(event, (socket: Socket) => this.accept(socket));
  }

  /** Serves one accepted socket. */
  accept(socket: Socket): void {
    const connection = new Connection(socket, this.options);
    this.connections.set(socket, connection);
    socket.once("close", () => this.connections.delete(socket));
    connection.run();
  }

  /** Stops accepting, ends streams and hijacked connections, and lets handlers in work finish for `graceMillis`, then cuts what is left. */
  async close(graceMillis = 1000): Promise<void> {
    for (const listener of this.listeners) listener.close();
    for (const connection of this.connections.values()) connection.close();
    const deadline = Date.now() + graceMillis;
    while (this.connections.size > 0 && Date.now() < deadline) await Bun.sleep(10);
    for (const socket of this.connections.keys()) socket.destroy();
  }
}
