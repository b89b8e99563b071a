/**
 * The name server of user-defined networks, at 127.0.0.11 inside each container's own namespace: its containers' names, aliases, ids
 * and links from memory, everything else from real name servers. Sockets are opened inside the namespace and live in this process;
 * no process runs in the container, and the next daemon opens them again for what still runs. They have a port of their own, to which
 * the namespace redirects port 53: a container may itself listen on 0.0.0.0:53.
 */
import { errorMessage } from "../../../base/errors.ts";
import type { Logger } from "../../../base/log.ts";
import { type Family, findFamily } from "../../../linux/inet.ts";
import { withNetns } from "../../../linux/network/netns.ts";
import type { PortRedirect } from "../../../linux/nft/nft-redirect.ts";
import { comparePrecedence, predefinedNames } from "../endpoints/endpoint-plan.ts";
import { nameServerAddress } from "../files/resolv-conf.ts";
import type { EndpointRecord, EndpointStore, NetworkStore } from "../network-store.ts";
import { AnswerCache } from "./answer-cache.ts";
import { Forwarder } from "./forwarder.ts";
import {
  addressAnswer,
  codeAnswer,
  formatErrorAnswer,
  pointerAnswer,
  type Question,
  readQuestion,
  responseCodes,
  reversedAddress,
  truncated,
} from "./messages.ts";
import { NameIndex } from "./name-index.ts";
import { StreamServer } from "./stream-server.ts";

const port = 53;
const redirectTable = "gantry-dns";
/** Attempts to find a port number that is free for UDP as well as for TCP. */
const mostTries = 10;
const mostByTcp = 0xffff;

export interface NameServiceOptions {
  networks: Pick<NetworkStore, "findById">;
  endpoints: Pick<EndpointStore, "listByContainer" | "listByNetwork">;
  logger: Logger;
  /** Name servers for containers that name none. */
  servers: () => readonly string[];
  /** Redirects a port inside the namespace at `path`; undefined: no packet filter, so the sockets are on port 53 itself. */
  redirect: ((path: string, redirect: PortRedirect) => Promise<void>) | undefined;
}

interface Client {
  endpoints: readonly EndpointRecord[];
  servers: readonly string[];
  /** False: it is on internal networks only, from which no question may leave. */
  forwards: boolean;
}

interface Sockets {
  udp: { close(): void } | undefined;
  tcp: StreamServer | undefined;
  closed: boolean;
}

export class NameService {
  private readonly options: NameServiceOptions;
  private readonly forwarder = new Forwarder();
  private readonly sockets = new Map<string, Sockets>();
  private readonly clients = new Map<string, Client>();
  private readonly indexes = new Map<string, NameIndex>();
  private readonly answers = new AnswerCache();
  private turn = 0;

  constructor(options: NameServiceOptions) {
    this.options = options;
  }

  /**
   * The container's networks have changed, or it has started: it is served when this resolves if one of them is a user's. Idempotent;
   * a failure is logged.
   */
  async serve(containerId: string): Promise<void> {
    this.changed();
    const isUsers = ({ networkName }: EndpointRecord) => !predefinedNames.includes(networkName);
    const endpoint = this.options.endpoints.listByContainer(containerId).find(isUsers);
    if (!endpoint || this.sockets.has(containerId)) return;
    const sockets: Sockets = { udp: undefined, tcp: undefined, closed: false };
    this.sockets.set(containerId, sockets);
    try {
      await this.open(endpoint.sandboxKey, containerId, sockets);
    } catch (error) {
      this.failed(containerId, error);
    }
  }

  /** The container is connected to nothing any more. Idempotent. */
  end(containerId: string): void {
    this.changed();
    const sockets = this.sockets.get(containerId);
    this.sockets.delete(containerId);
    if (!sockets) return;
    sockets.closed = true;
    sockets.udp?.close();
    sockets.tcp?.close();
  }

  /** Endpoints were changed: what is kept of them is read again at the next question. */
  changed(): void {
    this.clients.clear();
    this.indexes.clear();
    this.answers.clear();
  }

  close(): void {
    for (const containerId of [...this.sockets.keys()]) this.end(containerId);
  }

  /** The answer to one message of a container's; undefined: none is due. */
  async answer(containerId: string, message: Uint8Array, byTcp: boolean): Promise<Buffer | undefined> {
    const question = readQuestion(message);
    if (!question) return formatErrorAnswer(message);
    const limit = byTcp ? mostByTcp : question.udpSize;
    const client = this.clientOf(containerId);
    const turn = this.turn;
    const local = this.answerLocally(client, question, limit);
    // Of several addresses, the next answer begins with another.
    if (local && !byTcp && turn === this.turn) this.answers.remember(containerId, message, local);
    if (local) return local;
    if (!client.forwards) return codeAnswer(question, responseCodes.serverFailure);
    const answer = await this.forwarder.ask(message, client.servers, byTcp);
    if (!answer) return codeAnswer(question, responseCodes.serverFailure);
    return answer.length <= limit ? answer : truncated(question);
  }

  private async answerLater(containerId: string, message: Uint8Array, send: (answer: Buffer) => void): Promise<void> {
    const answer = await this.answer(containerId, message, false);
    if (answer) send(answer);
  }

  private answerLocally(client: Client, question: Question, limit: number): Buffer | undefined {
    const name = question.name.toLowerCase().replace(/\.$/, "");
    if (question.type === "PTR") {
      const ip = reversedAddress(name);
      const found = ip && client.endpoints.map(({ networkId }) => this.indexOf(networkId).reverse(ip)).find(Boolean);
      return found ? pointerAnswer(question, found, limit) : undefined;
    }
    if (question.type !== "A" && question.type !== "AAAA") return undefined;
    const addresses = this.resolve(client, name, question.type === "A" ? 4 : 6);
    return addresses && addressAnswer(question, this.rotated(addresses), limit);
  }

  /** Empty: the name is known, but nobody of that name has an address of the version. undefined: it is not known. */
  private resolve(client: Client, name: string, family: Family): readonly string[] | undefined {
    let isKnown = false;
    for (const found of this.findings(client, name)) {
      isKnown ||= found.length > 0;
      const addresses = found.filter((address) => findFamily(address) === family);
      if (addresses.length > 0) return addresses;
    }
    return isKnown ? [] : undefined;
  }

  /** By the container's links first, then by its networks in order of precedence. */
  private *findings({ endpoints }: Client, name: string): Generator<readonly string[]> {
    for (const { networkId, links } of endpoints) {
      const index = this.indexOf(networkId);
      for (const link of links ?? []) {
        const [target = "", alias = target] = link.split(":");
        if (alias.toLowerCase() !== name) continue;
        yield index.find(target.replace(/^\//, "").toLowerCase());
      }
    }
    for (const { networkId } of endpoints) yield this.indexOf(networkId).find(name);
  }

  /** Round robin: each answer begins with the next address. */
  private rotated(addresses: readonly string[]): readonly string[] {
    if (addresses.length <= 1) return addresses;
    const first = this.turn++ % addresses.length;
    return [...addresses.slice(first), ...addresses.slice(0, first)];
  }

  private clientOf(containerId: string): Client {
    const known = this.clients.get(containerId);
    if (known) return known;
    const { endpoints: store, networks, servers } = this.options;
    const endpoints = store.listByContainer(containerId);
    const own = endpoints.flatMap(({ dns = [] }) => dns);
    const isInternal = (networkId: string) => networks.findById(networkId)?.internal === true;
    const client = {
      endpoints: endpoints
        .filter(({ networkName }) => !predefinedNames.includes(networkName))
        .map((endpoint) => ({ endpoint, ...precedenceOf(endpoint, isInternal(endpoint.networkId)) }))
        .toSorted(comparePrecedence)
        .map(({ endpoint }) => endpoint),
      servers: [...new Set(own.length > 0 ? own : servers())],
      forwards: endpoints.some(({ networkId }) => !isInternal(networkId)),
    };
    this.clients.set(containerId, client);
    return client;
  }

  private indexOf(networkId: string): NameIndex {
    const known = this.indexes.get(networkId);
    if (known) return known;
    const name = this.options.networks.findById(networkId)?.name ?? "";
    const index = new NameIndex(name, this.options.endpoints.listByNetwork(networkId));
    this.indexes.set(networkId, index);
    return index;
  }

  private async open(path: string, containerId: string, sockets: Sockets): Promise<void> {
    const { redirect } = this.options;
    for (let tries = 1; ; tries++) {
      try {
        sockets.udp = await withNetns(path, () => this.listen(containerId, sockets, redirect ? 0 : port));
        break;
      } catch (error) {
        sockets.tcp?.close();
        if (tries === mostTries || !redirect) throw error;
      }
    }
    const to = sockets.tcp?.port ?? 0;
    if (sockets.closed) sockets.udp.close();
    else await redirect?.(path, { table: redirectTable, address: nameServerAddress, from: port, to });
  }

  /** Runs inside the container's namespace: sockets belong to where they are made. */
  private listen(containerId: string, sockets: Sockets, wanted: number): Promise<{ close(): void }> {
    const tcp = new StreamServer((message) => this.answer(containerId, message, true));
    sockets.tcp = tcp;
    tcp.listen(nameServerAddress, wanted);
    return Bun.udpSocket({
      hostname: nameServerAddress,
      port: tcp.port,
      socket: {
        data: (socket, message, fromPort, address) => {
          const known = this.answers.find(containerId, message);
          if (known) socket.send(known, fromPort, address);
          else
            void this.answerLater(
              containerId,
              message,
              (answer) => !sockets.closed && socket.send(answer, fromPort, address),
            );
        },
        // An answer of ICMP: the client did not wait.
        error: () => undefined,
      },
    });
  }

  private failed(containerId: string, error: unknown): void {
    this.end(containerId);
    this.options.logger.error("a container has no name service", {
      container: containerId,
      error: errorMessage(error),
    });
  }
}

function precedenceOf({ networkName: name, gwPriority: priority = 0 }: EndpointRecord, internal: boolean) {
  return { name, priority, internal };
}
