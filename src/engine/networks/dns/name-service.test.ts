import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { decode, encode, streamDecode, streamEncode } from "dns-packet";
import { Logger } from "../../../base/log.ts";
import { createNetns, removeNetns, withNetns } from "../../../linux/network/netns.ts";
import { RouteSocket } from "../../../linux/network/rtnetlink.ts";
import { redirectPort } from "../../../linux/nft/nft-redirect.ts";
import type { EndpointRecord, NetworkRecord } from "../network-store.ts";
import { ScratchHost } from "../scratch-host.ts";
import { NameService } from "./name-service.ts";

let host: ScratchHost;
let netns: string;
const cleanups: (() => void)[] = [];
beforeAll(() => {
  host = new ScratchHost();
  netns = join(host.directory, "container");
  createNetns(netns, () => {
    using route = new RouteSocket();
    route.setLink(1, { up: true });
  });
});
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});
afterAll(() => {
  removeNetns(netns);
  host[Symbol.dispose]();
});

const networks = [
  { id: "n1", name: "back", internal: true },
  { id: "n2", name: "front" },
] as NetworkRecord[];
const endpoint = (containerId: string, network: number, ip: string, more: Partial<EndpointRecord> = {}) => ({
  containerId,
  containerName: containerId,
  networkId: networks[network]?.id ?? "",
  networkName: networks[network]?.name ?? "",
  ip,
  sandboxKey: netns,
  dnsNames: [containerId],
  links: null,
  ...more,
});
/** In the order in which they were connected. */
const listEndpoints = () =>
  [
    endpoint("client", 0, "10.1.0.2", { links: ["db:database"] }),
    endpoint("client", 1, "10.2.0.2"),
    endpoint("web-1", 0, "10.1.0.3", { dnsNames: ["web-1", "web"] }),
    endpoint("web-1", 1, "10.2.0.3", { dnsNames: ["web-1", "web"] }),
    endpoint("web-2", 1, "10.2.0.4", { dnsNames: ["web-2", "web"] }),
    endpoint("db", 0, "10.1.0.5"),
    endpoint("lonely", 0, "10.1.0.6"),
    endpoint("bare", 0, "10.1.0.7", { sandboxKey: join(host.directory, "bare") }),
  ] as EndpointRecord[];

function start(redirected = true): { service: NameService; lines: string[] } {
  const lines: string[] = [];
  const service = new NameService({
    networks: { findById: (id) => networks.find((network) => network.id === id) },
    endpoints: {
      listByContainer: (id) => listEndpoints().filter(({ containerId }) => containerId === id),
      listByNetwork: (id) => listEndpoints().filter(({ networkId }) => networkId === id),
    },
    logger: new Logger("info", (line) => lines.push(line)),
    servers: () => [],
    redirect: redirected ? async (path, redirect) => withNetns(path, () => redirectPort(redirect)) : undefined,
  });
  cleanups.push(() => service.close());
  return { service, lines };
}

type Type = "A" | "AAAA" | "PTR" | "TXT";
const query = (name: string, type: Type) => encode({ type: "query", id: 5, questions: [{ type, name }] });

/** What the service says without any socket: the code and the answers' data. */
async function resolve(service: NameService, client: string, name: string, type: Type = "A"): Promise<unknown[]> {
  const answer = await service.answer(client, query(name, type), false);
  if (!answer) return [];
  const { answers = [], ...packet } = decode(answer);
  return ["rcode" in packet ? packet.rcode : "", ...answers.map((record) => ("data" in record ? record.data : ""))];
}

/** What a resolver inside the namespace is told at 127.0.0.11:53; asks again, as resolvers do. */
async function askInside(name: string): Promise<unknown> {
  const { promise, resolve: told } = Promise.withResolvers<Buffer>();
  const opening = withNetns(netns, () =>
    Bun.udpSocket({
      connect: { hostname: "127.0.0.11", port: 53 },
      socket: { data: (_, data) => told(data), error: () => undefined },
    }),
  );
  const socket = await opening;
  socket.send(query(name, "A"));
  const again = setInterval(() => socket.send(query(name, "A")), 500);
  const [record] = decode(await promise).answers ?? [];
  clearInterval(again);
  socket.close();
  return record && "data" in record ? record.data : undefined;
}

test("names by the container's networks in order of precedence, links first, letters of any case", async () => {
  const { service } = start();
  // The internal network comes last, although it was connected first.
  expect(await resolve(service, "client", "WEB-1")).toEqual(["NOERROR", "10.2.0.3"]);
  expect(await resolve(service, "client", "web-1.back")).toEqual(["NOERROR", "10.1.0.3"]);
  expect(await resolve(service, "client", "database")).toEqual(["NOERROR", "10.1.0.5"]);
  expect(await resolve(service, "lonely", "web-2")).toEqual(["SERVFAIL"]);
});

test("several containers of one name take turns", async () => {
  const { service } = start();
  const firsts = [await resolve(service, "client", "web"), await resolve(service, "client", "web")].map(([, ip]) => ip);
  expect(firsts.toSorted()).toEqual(["10.2.0.3", "10.2.0.4"]);
});

test("a known name has no address of version 6, reverse names lead back, others go to real servers", async () => {
  const { service } = start();
  expect(await resolve(service, "client", "web", "AAAA")).toEqual(["NOERROR"]);
  expect(await resolve(service, "client", "5.0.1.10.in-addr.arpa", "PTR")).toEqual(["NOERROR", "db.back"]);
  expect(await resolve(service, "client", "debian.org")).toEqual(["SERVFAIL"]);
});

test("served inside the namespace, beside a program of the container's that has port 53", async () => {
  const program = withNetns(netns, () =>
    Bun.listen({ hostname: "0.0.0.0", port: 53, socket: { data: () => undefined } }),
  );
  cleanups.push(() => program.stop(true));
  const opening = withNetns(netns, () => Bun.udpSocket({ hostname: "0.0.0.0", port: 53 }));
  const udp = await opening;
  cleanups.push(() => udp.close());
  const { service, lines } = start();
  await service.serve("client");
  await service.serve("client");
  expect(await askInside("db")).toBe("10.1.0.5");
  expect(lines).toEqual([]);
});

test("the next daemon's service takes over", async () => {
  const { service } = start();
  await service.serve("client");
  service.close();
  await start().service.serve("client");
  expect(await askInside("web-2")).toBe("10.2.0.4");
});

test("by TCP too", async () => {
  const { service } = start();
  await service.serve("client");
  const answer = await new Promise<Buffer>((told, failed) => {
    const opening = withNetns(netns, () =>
      Bun.connect({
        hostname: "127.0.0.11",
        port: 53,
        socket: {
          open: (socket) => void socket.write(streamEncode({ type: "query", questions: [{ type: "A", name: "db" }] })),
          data(socket, data) {
            told(data);
            socket.end();
          },
        },
      }),
    );
    opening.catch(failed);
  });
  expect(streamDecode(answer).answers).toMatchObject([{ name: "db", data: "10.1.0.5" }]);
});

test("without packet filter it has port 53 itself, or says that it has not", async () => {
  // No redirection of the tests before may be there.
  const bare = join(host.directory, "bare");
  createNetns(bare, () => {
    using route = new RouteSocket();
    route.setLink(1, { up: true });
  });
  cleanups.push(() => removeNetns(bare));
  const taken = withNetns(bare, () => Bun.listen({ hostname: "0.0.0.0", port: 53, socket: { data: () => undefined } }));
  const { service, lines } = start(false);
  await service.serve("bare");
  expect(lines.join()).toContain("a container has no name service");
  taken.stop(true);
  await service.serve("bare");
  expect(lines).toHaveLength(1);
});
