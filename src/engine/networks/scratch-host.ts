/**
 * Test fixture: a network namespace that plays the host, with a neighbour on its LAN. The calling thread (and every thread and
 * process started from it) lives inside until disposal, so tests may set policies and take ports without disturbing the machine.
 */
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { check, libc } from "../../linux/libc.ts";
import { createNetns, removeNetns, withNetns } from "../../linux/network/netns.ts";
import { RouteSocket } from "../../linux/network/rtnetlink.ts";

const cloneNewNet = 0x40000000;

export class ScratchHost implements Disposable {
  readonly address = "10.99.0.1";
  readonly address6 = "fd99::1";
  readonly directory = mkdtempSync(join(tmpdir(), "gantry-networks-"));
  /** Namespace of a machine at 10.99.0.2 and fd99::2 whose default route is this host. */
  readonly neighbour = join(this.directory, "neighbour");
  private readonly home = openSync("/proc/thread-self/ns/net", "r");
  private readonly sockets: { close(): void }[] = [];
  private children: ReturnType<typeof Bun.spawn>[] = [];

  constructor() {
    check(libc.unshare(cloneNewNet), "unshare");
    createNetns(this.neighbour, () => undefined);
    using route = new RouteSocket();
    route.setLink(1, { up: true });
    const netnsFd = openSync(this.neighbour, "r");
    route.createVeth({ name: "lan0", mtu: 1500, peer: { name: "eth0", netnsFd } });
    closeSync(netnsFd);
    const lan = route.getLink("lan0").index;
    route.addAddress(lan, { ip: this.address, prefix: 24 });
    route.addAddress(lan, { ip: this.address6, prefix: 64 });
    route.setLink(lan, { up: true });
    withNetns(this.neighbour, () => {
      using far = new RouteSocket();
      far.setLink(1, { up: true });
      const { index, address } = far.getLink("eth0");
      const addresses = [
        { ip: "10.99.0.2", prefix: 24 },
        { ip: "fd99::2", prefix: 64 },
      ];
      const routes = [
        { family: 4 as const, via: this.address },
        { family: 6 as const, via: this.address6 },
      ];
      far.configure(index, { address, up: true }, { addresses, routes });
    });
  }

  /** Answers every TCP connection to the port with `text`, inside the namespace at `netns`, until `stopServers`. */
  async serve(netns: string, port: number, text: string): Promise<void> {
    const argv = ["nsenter", `--net=${netns}`, "busybox", "nc", "-ll", "-p", `${port}`, "-e", "busybox", "echo", text];
    this.children.push(Bun.spawn(argv, { stdout: "ignore", stderr: "inherit" }));
    for (let tries = 0; tries < 100; tries++) {
      if (run(["nsenter", `--net=${netns}`, "busybox", "netstat", "-ltn"]).includes(`:${port} `)) return;
      await Bun.sleep(10);
    }
    throw new Error(`nothing listens on ${port}`);
  }

  /** What the server at address and port says to a client in the namespace (undefined: this host); empty: no connection. */
  ask(netns: string | undefined, address: string, port: number, seconds = 2): string {
    const client = ["busybox", "timeout", `${seconds}`, "busybox", "nc", address, `${port}`];
    return run(netns === undefined ? client : ["nsenter", `--net=${netns}`, ...client]).trim();
  }

  /** True when nobody answers there within a moment. */
  isSilent(netns: string | undefined, address: string, port: number): boolean {
    return this.ask(netns, address, port, 0.3) === "";
  }

  /** A UDP socket inside the namespace; `received` collects what arrives. */
  async openUdp(
    netns: string,
    port: number,
    hostname = "0.0.0.0",
  ): Promise<{ send(text: string, address: string, port: number): void; received: string[] }> {
    const received: string[] = [];
    const opening = withNetns(netns, () =>
      // An answer of ICMP (nobody there) is no reason to end.
      Bun.udpSocket({
        hostname,
        port,
        socket: { data: (_, data) => void received.push(data.toString()), error: () => undefined },
      }),
    );
    const socket = await opening;
    this.sockets.push(socket);
    return { send: (text, address, to) => void socket.send(text, to, address), received };
  }

  async stopServers(): Promise<void> {
    const ended = this.children.map((child) => child.exited);
    for (const child of this.children) child.kill("SIGKILL");
    this.children = [];
    await Promise.all(ended);
  }

  /** Runs a program to its end; its output. */
  run(...argv: string[]): string {
    return run(argv);
  }

  [Symbol.dispose](): void {
    for (const child of this.children) child.kill("SIGKILL");
    for (const socket of this.sockets) socket.close();
    check(libc.setns(this.home, cloneNewNet), "setns");
    closeSync(this.home);
    removeNetns(this.neighbour);
    rmSync(this.directory, { recursive: true });
  }
}

function run(argv: string[]): string {
  return Bun.spawnSync(argv, { stdout: "pipe", stderr: "ignore", stdin: "ignore" }).stdout.toString();
}
