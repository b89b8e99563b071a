/** A client's session: a connection on which the client serves what a build needs of it, its files, logins, secrets and SSH agent. */
import type { Duplex } from "node:stream";
import { notFound, unavailable } from "../../base/errors.ts";
import { GrpcClient } from "../grpc/client.ts";

/** Header names in lower case. Source: moby/buildkit session/grpc.go */
const headerNames = {
  id: "x-docker-expose-session-uuid",
  sharedKey: "x-docker-expose-session-sharedkey",
  method: "x-docker-expose-session-grpc-method",
} as const;

/** How long a build waits for the session that it names: the two connections are opened at the same time. */
const patienceMillis = 5000;

export class Session {
  readonly id: string;
  /** Says which sessions have the same files: those of one directory of one client. */
  readonly sharedKey: string;
  readonly client: GrpcClient;
  private readonly methods: ReadonlySet<string>;

  constructor(headers: ReadonlyMap<string, string>, connection: Duplex) {
    this.id = headers.get(headerNames.id) ?? "";
    this.sharedKey = headers.get(headerNames.sharedKey) ?? "";
    const methods = (headers.get(headerNames.method) ?? "").split(",").map((method) => method.trim());
    this.methods = new Set(methods);
    this.client = new GrpcClient(connection);
  }

  /** `/package.Service/Method` */
  supports(method: string): boolean {
    return this.methods.has(method) && !this.client.closed;
  }
}

/** The sessions that are open. */
export class Sessions {
  private readonly open = new Map<string, Session>();
  private readonly waiting = new Map<string, PromiseWithResolvers<Session>>();

  /** Serves as one until the connection ends. */
  async serve(headers: ReadonlyMap<string, string>, connection: Duplex): Promise<void> {
    const session = new Session(headers, connection);
    const closed = new Promise<void>((resolve) => connection.once("close", () => resolve()));
    this.open.set(session.id, session);
    this.waiting.get(session.id)?.resolve(session);
    try {
      await closed;
    } finally {
      if (this.open.get(session.id) === session) this.open.delete(session.id);
      session.client.close();
    }
  }

  /** Rejects `unavailable` for one that does not come. */
  async get(id: string): Promise<Session> {
    const found = this.open.get(id);
    if (found) return found;
    if (id === "") throw notFound("the build has no session");
    const waiting = this.waiting.get(id) ?? Promise.withResolvers<Session>();
    this.waiting.set(id, waiting);
    const timer = setTimeout(
      () => waiting.reject(unavailable(`no active session for ${id}: context deadline exceeded`)),
      patienceMillis,
    );
    try {
      return await waiting.promise;
    } finally {
      clearTimeout(timer);
      this.waiting.delete(id);
    }
  }
}
