/**
 * The sockets that the API is served on: unix (0660, for one group), TCP (only with TLS client certificates unless `insecure` says
 * otherwise), and those that systemd opened (`fd://`), which keep the rights they were given. Each is made with half-open connections, which hijacked streams need.
 */
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer, type ListenOptions, type Server } from "node:net";
import { dirname } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { conflict, errorCode, errorMessage, invalidArgument } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { adoptListener, closeDescriptor } from "../linux/systemd.ts";
import type { TlsConfig } from "./config.ts";

export interface ListenOptionsOfDaemon {
  hosts: readonly string[];
  tls: TlsConfig | undefined;
  insecure: boolean;
  group: string | undefined;
  /** Open sockets that this process was started with. */
  inherited: readonly number[];
  log: Logger;
}

export interface Listener {
  /** As in `hosts`. */
  readonly host: string;
  readonly server: Server;
  /** The event that brings a socket ready to be read. */
  readonly event: "connection" | "secureConnection";
  /** Set for unix sockets: removed at the end. */
  readonly path?: string;
}

/** `fd`: a socket that listens already. */
type Where = ListenOptions & { fd?: number };

/** Largest number of connections that wait to be accepted. */
const backlog = 1024;

/**
 * Listens on every host or on none: a failure closes those that were opened. `onListen` is called with each before it accepts, so that
 * no connection can arrive without somebody to serve it.
 */
export async function listen(
  options: ListenOptionsOfDaemon,
  onListen: (listener: Listener) => void,
): Promise<Listener[]> {
  const listeners: Listener[] = [];
  try {
    for (const host of options.hosts) {
      for (const [listener, where] of await open(host, options)) {
        listeners.push(listener);
        onListen(listener);
        await start(listener, where, options);
        options.log.info("API listen on", { address: host });
      }
    }
  } catch (error) {
    closeListeners(listeners);
    throw error;
  }
  return listeners;
}

/** `--metrics-addr`: HOST:PORT in the clear, for metrics only. Rejects `conflict` when it cannot be had. */
export async function listenForMetrics(address: string, onListen: (server: Server) => void): Promise<Server> {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d+)$/.exec(address);
  if (!match) throw invalidArgument(`invalid metrics address ${address}: should be HOST:PORT`);
  const server = createServer({ allowHalfOpen: true, noDelay: true });
  onListen(server);
  await listening(server, { host: match[1] ?? (match[2] || "0.0.0.0"), port: Number(match[3]), backlog }, address);
  return server;
}

/** Stops accepting and removes the unix sockets. Connections stay. */
export function closeListeners(listeners: readonly Listener[]): void {
  for (const { server, path } of listeners) {
    server.close();
    if (path !== undefined) rmSync(path, { force: true });
  }
}

async function open(host: string, options: ListenOptionsOfDaemon): Promise<[Listener, Where][]> {
  const [, protocol = "tcp", address = host] = /^(\w+):\/\/(.*)$/.exec(host) ?? [];
  switch (protocol) {
    case "unix":
      return [await openUnix(host, address)];
    case "tcp":
      return [openTcp(host, address, options)];
    case "fd":
      return chosenDescriptors(address, options.inherited).map((fd) => openInherited(host, fd, options));
    default:
      throw invalidArgument(`invalid bind address (${host}): unsupported proto '${protocol}'`);
  }
}

async function openUnix(host: string, path: string): Promise<[Listener, Where]> {
  if (!path.startsWith("/")) throw invalidArgument(`invalid bind address (${host}): the path must be absolute`);
  mkdirSync(dirname(path), { recursive: true });
  if (existsSync(path)) {
    if (!lstatSync(path).isSocket()) throw conflict(`can't create unix socket ${path}: the path exists`);
    if (await answers(path)) throw conflict(`can't create unix socket ${path}: another daemon is listening on it`);
    rmSync(path);
  }
  return [
    { ...plain(host), path },
    { path, backlog },
  ];
}

/** `fd://` and `fd://*` are all of them, `fd://3` is one; the rest is closed. dockerd's words. */
function chosenDescriptors(address: string, inherited: readonly number[]): readonly number[] {
  if (inherited.length === 0) {
    throw invalidArgument(
      "failed to load listeners: no sockets found via socket activation: make sure the service was started by systemd",
    );
  }
  if (address === "" || address === "*") return inherited;
  if (!/^\d+$/.test(address)) {
    throw invalidArgument(
      `failed to load listeners: failed to parse systemd fd address: should be a number: ${address}`,
    );
  }
  const chosen = Number(address);
  if (!inherited.includes(chosen)) {
    throw invalidArgument("failed to load listeners: too few socket activated files passed in by systemd");
  }
  for (const descriptor of inherited) if (descriptor !== chosen) closeDescriptor(descriptor);
  return [chosen];
}

function openInherited(host: string, fd: number, options: ListenOptionsOfDaemon): [Listener, Where] {
  const kind = adoptListener(fd);
  if (!kind) {
    throw invalidArgument(`failed to load listeners: failed to listen on systemd activated file: fd ${fd}`);
  }
  return [kind === "unix" ? plain(host) : tcpListener(`${host} (fd ${fd})`, options), { fd, backlog }];
}

function openTcp(host: string, address: string, options: ListenOptionsOfDaemon): [Listener, Where] {
  const { tls } = options;
  const match = /^(?:\[([^\]]+)\]|([^:/]*))(?::(\d+))?\/?$/.exec(address);
  if (!match) throw invalidArgument(`invalid bind address (${host}): should be tcp://HOST:PORT`);
  const where = { host: match[1] ?? (match[2] || "127.0.0.1"), port: Number(match[3] ?? (tls ? 2376 : 2375)), backlog };
  return [tcpListener(host, options), where];
}

function tcpListener(host: string, { tls, insecure, log }: ListenOptionsOfDaemon): Listener {
  if (!tls?.verify) {
    if (!insecure) {
      throw invalidArgument(
        `refusing to serve the API on ${host} without client certificates: whoever reaches it is root on this host. Use --tlsverify with --tlscacert, --tlscert and --tlskey, or --insecure if you mean it`,
      );
    }
    log.warn(`THE API ON ${host} IS OPEN TO ANYBODY WHO CAN CONNECT: every client has root access to this host`);
  }
  if (!tls) return plain(host);
  // allowHalfOpen is an option of net.Server that the types of tls leave out.
  const settings = { ...readTls(tls), allowHalfOpen: true };
  return { host, server: createTlsServer(settings), event: "secureConnection" };
}

function plain(host: string): Listener {
  return { host, server: createServer({ allowHalfOpen: true, noDelay: true }), event: "connection" };
}

function readTls({ verify, ca, cert, key }: TlsConfig) {
  try {
    return {
      cert: readFileSync(cert),
      key: readFileSync(key),
      minVersion: "TLSv1.2" as const,
      ...(verify ? { ca: readFileSync(ca), requestCert: true, rejectUnauthorized: true } : {}),
    };
  } catch (cause) {
    const reason = errorCode(cause) === "ENOENT" ? "no such file or directory" : errorMessage(cause);
    throw invalidArgument(
      `invalid TLS configuration: Could not load X509 key pair (cert: "${cert}", key: "${key}"): ${reason}`,
      {
        cause,
      },
    );
  }
}

async function start(listener: Listener, where: Where, options: ListenOptionsOfDaemon): Promise<void> {
  const { server, path } = listener;
  await listening(server, where, listener.host);
  server.on("error", (error) => options.log.error("listener failed", { host: listener.host, error }));
  if (path === undefined) return;
  chownSync(path, 0, groupId(options));
  chmodSync(path, 0o660);
}

async function listening(server: Server, where: Where, name: string): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      // Bound in this very call, without rights for anybody: between bind and chown nobody may slip in.
      const umask = process.umask(0o777);
      server.listen(where, () => resolve());
      process.umask(umask);
    });
  } catch (cause) {
    throw conflict(`failed to load listeners: listen ${name}: ${errorMessage(cause)}`, { cause });
  }
}

/** The named group must exist; without a name the first that exists of gantry's and docker's, else root's. */
function groupId({ group, log }: ListenOptionsOfDaemon): number {
  const groups = new Map(
    readFileSync("/etc/group", "utf8")
      .split("\n")
      .map((line) => line.split(":"))
      .map(([name = "", , id = ""]) => [name, Number(id)]),
  );
  if (group !== undefined) {
    const id = /^\d+$/.test(group) ? Number(group) : groups.get(group);
    if (id === undefined)
      throw invalidArgument(`could not change group of the socket to ${group}: group ${group} not found`);
    return id;
  }
  const id = groups.get("gantry") ?? groups.get("docker");
  if (id === undefined) log.debug("no group gantry or docker: the API's socket is for root only");
  return id ?? 0;
}

/** True when somebody accepts connections on this unix socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
  });
}
