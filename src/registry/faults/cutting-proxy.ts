/** For tests: a TCP proxy that counts, slows down and cuts what passes. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export interface Place {
  readonly host: string;
  readonly port: number;
}

export class CuttingProxy implements AsyncDisposable {
  /** Bytes that came from the server, and from clients. */
  received = 0;
  sent = 0;
  /** Connections that were cut. */
  cuts = 0;
  /** After how many bytes, both ways, the next connection is cut; undefined: not at all. */
  budget: () => number | undefined = () => undefined;
  /** Called as bytes come from the server; what it returns is waited for. */
  onReceive: () => Promise<void> | undefined = () => undefined;
  private readonly server: Server;
  private readonly open = new Set<Socket>();

  private constructor(to: Place) {
    this.server = createServer((client) => this.serve(client, connect(to)));
  }

  /** Without `listen` at any port of this host. */
  static async open(to: Place, listen: Place = { host: "127.0.0.1", port: 0 }): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(to);
    proxy.server.listen(listen.port, listen.host);
    await once(proxy.server, "listening");
    return proxy;
  }

  get url(): string {
    const { address, port } = this.server.address() as AddressInfo;
    return `http://${address}:${port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.open) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private serve(client: Socket, upstream: Socket): void {
    let left = this.budget();
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      this.open.add(socket);
      socket.on("error", end);
      socket.on("close", () => {
        this.open.delete(socket);
        end();
      });
    }
    const pass = async (from: Socket, to: Socket, count: (size: number) => Promise<void> | undefined) => {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        const part = left === undefined ? chunk : chunk.subarray(0, left);
        const waiting = count(part.length);
        if (waiting) await waiting;
        if (!to.write(part)) await new Promise((resolve) => to.once("drain", resolve).once("close", resolve));
        if (left === undefined) continue;
        left -= part.length;
        if (left > 0) continue;
        this.cuts++;
        return end();
      }
      to.end();
    };
    const down = (size: number) => {
      this.received += size;
      return this.onReceive();
    };
    const up = (size: number) => {
      this.sent += size;
      return undefined;
    };
    pass(upstream, client, down).catch(end);
    pass(client, upstream, up).catch(end);
  }
}
