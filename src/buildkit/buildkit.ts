/**
 * BuildKit's face of the builder: what `docker buildx`, and with it `docker build` and `docker compose build`, speak. A client opens
 * two connections: on one it calls (`/grpc`), on the other it serves its files and secrets (`/session`).
 */
import type { Duplex } from "node:stream";
import { type Methods, serveGrpc } from "../buildkit-api/grpc/server.ts";
import { ApiBuilds } from "./api-build.ts";
import { controlMethods } from "./control/control.ts";
import type { GatewayScope } from "./control/gateway.ts";
import { Results } from "./control/results.ts";
import { Solves } from "./control/solves.ts";
import { DockerfileFrontend } from "./frontend/frontend.ts";
import type { BuildkitDependencies } from "./parts.ts";
import { LocalSources } from "./session/local-sources.ts";
import { Sessions } from "./session/session.ts";

export class Buildkit {
  private readonly sessions = new Sessions();
  private readonly methods: Methods;
  /** `POST /build?version=2` */
  readonly builds: ApiBuilds;

  constructor(deps: BuildkitDependencies) {
    const locals = new LocalSources(deps.builder.kept, deps.builder.work);
    const scope: GatewayScope = {
      deps,
      frontend: new DockerfileFrontend(deps, this.sessions, locals),
      sessions: this.sessions,
      solves: new Solves(),
      results: new Results(),
      locals,
    };
    this.methods = controlMethods(scope);
    this.builds = new ApiBuilds(scope);
  }

  /** `POST /grpc`, once the connection speaks HTTP/2. Resolves when it ends. */
  serveGrpc(connection: Duplex): Promise<void> {
    return serveGrpc(connection, this.methods);
  }

  /** `POST /session`: from here on the client is the server. Resolves when the connection ends. */
  serveSession(headers: ReadonlyMap<string, string>, connection: Duplex): Promise<void> {
    return this.sessions.serve(headers, connection);
  }
}
