/** A client's session: a connection on which the client serves what a build needs of it, its files, logins, secrets and SSH agent. */
import type { Duplex } from "node:stream";
import { EngineError, unavailable } from "../../base/errors.ts";
import { GrpcClient } from "../../buildkit-api/grpc/client.ts";
import { Arrivals } from "../arrivals.ts";

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

/** The build names none. */
export class NoSession extends EngineError {
  constructor() {
    super("not-found", "no active sessions");
  }
}

/** The session that a build names, waited for when it is first needed: a build may do without. */
export type OpenSession = () => Promise<Session>;

/** The sessions that are open. */
export class Sessions {
  private readonly open = new Arrivals<Session>();

  /** Serves as one until the connection ends. */
  async serve(headers: ReadonlyMap<string, string>, connection: Duplex): Promise<void> {
    const session = new Session(headers, connection);
    const closed = new Promise<void>((resolve) => connection.once("close", () => resolve()));
    this.open.add(session.id, session);
    try {
      await closed;
    } finally {
      this.open.remove(session.id, session);
      session.client.close();
    }
  }

  /** Rejects `unavailable` for one that does not come. */
  async get(id: string): Promise<Session> {
    if (id === "") throw new NoSession();
    return await this.open.get(id, patienceMillis, () =>
      unavailable(`no active session for ${id}: context deadline exceeded`),
    );
  }
}
