/**
 * `POST /build?version=2`: BuildKit for clients that have a session but no gRPC connection, the docker CLI 19.03 to 22. Progress comes as
 * BuildKit's own messages inside the JSON stream. Source: moby builder/builder-next/builder.go; docker/cli build_buildkit.go 20.10.
 */
import type { ProgressMessage } from "../api/system.ts";
import { canceled, notFound } from "../base/errors.ts";
import type { Bytes } from "../base/streams.ts";
import { type Exporter, statusResponse } from "../buildkit-api/protocol/messages.ts";
import { Arrivals } from "./arrivals.ts";
import { solve } from "./control/control.ts";
import type { GatewayScope } from "./control/gateway.ts";
import { uploadUrl } from "./frontend/dockerfile-source.ts";

export interface ApiBuildRequest {
  /** The client's; "": none. */
  buildId: string;
  session: string;
  /** `client-session`: the session has the context. `upload-request`: another request's body is it. "": `body`. Else an address. */
  remote: string;
  body: Bytes;
  options: Record<string, string>;
  outputs: Exporter[];
  tags: string[];
  entitlements: string[];
  /** The id is told as text, too. */
  quiet: boolean;
  signal: AbortSignal;
}

/** A context in the body of a request of its own. */
interface Upload {
  body: Bytes;
  /** It has been read, or is not wanted. */
  done: () => void;
}

const uploadPrefix = "upload-request:";

/** How long a build waits for the other request. */
const patienceMillis = 30_000;

export class ApiBuilds {
  private readonly scope: GatewayScope;
  private readonly uploads = new Arrivals<Upload>();

  constructor(scope: GatewayScope) {
    this.scope = scope;
  }

  /** Whether the request only brings the context of another one. */
  static isUpload(buildId: string): boolean {
    return buildId.startsWith(uploadPrefix);
  }

  /** Resolves when the build has read the body, or has ended without. */
  async upload(buildId: string, body: Bytes, signal: AbortSignal): Promise<void> {
    const ref = buildId.slice(uploadPrefix.length);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => reject(canceled("the client has gone")), { once: true });
    const upload = { body, done: resolve };
    this.uploads.add(ref, upload);
    try {
      await promise;
    } finally {
      this.uploads.remove(ref, upload);
    }
  }

  /** Rejects with the build's error, which has been told to the client's progress too. */
  async build(request: ApiBuildRequest, progress: (message: ProgressMessage) => void): Promise<void> {
    const { signal } = request;
    const ref = request.buildId || crypto.randomUUID();
    const options = { ...request.options };
    if (["", "upload-request"].includes(request.remote)) options["context"] = uploadUrl;
    else if (request.remote !== "client-session") options["context"] = request.remote;
    const exporters = request.outputs.length > 0 ? request.outputs : [{ Type: "moby", Attrs: {} }];
    const solving = solve(
      {
        Ref: ref,
        Session: request.session,
        Frontend: "dockerfile.v0",
        FrontendAttrs: options,
        Exporters: exporters.map(({ Type, Attrs }) =>
          named(Type === "docker" ? "moby" : Type, Attrs ?? {}, request.tags),
        ),
        Entitlements: request.entitlements,
        ExporterDeprecated: "",
        ExporterAttrsDeprecated: {},
        Definition: null,
        Cache: null,
        FrontendInputs: {},
        Internal: false,
        SourcePolicy: null,
        EnableSessionExporter: false,
      },
      { signal, uploaded: async () => (request.remote === "" ? request.body : await this.uploaded(ref)) },
      this.scope,
    );
    solving.catch(() => undefined).finally(() => this.uploads.find(ref)?.done());
    // A request that is refused never becomes a build.
    const refused = solving.then(() => this.scope.solves.get(ref));
    const { progress: said } = await Promise.race([this.scope.solves.get(ref), refused]);
    for await (const message of said.follow(signal)) {
      const aux = Buffer.from(statusResponse.encode(message)).toString("base64");
      progress({ id: "moby.buildkit.trace", aux });
    }
    const { "containerimage.config.digest": id } = await solving;
    if (id === undefined) return;
    progress({ id: "moby.image.id", aux: { ID: id } });
    if (request.quiet) progress({ stream: `${id}\n` });
  }

  private async uploaded(ref: string): Promise<Bytes> {
    const { body, done } = await this.uploads.get(ref, patienceMillis, () => notFound("the context was not sent"));
    return whenRead(body, done);
  }
}

function named(Type: string, Attrs: Record<string, string>, tags: string[]): Exporter {
  return { Type, Attrs: tags.length > 0 && Type === "moby" ? { ...Attrs, name: tags.join(",") } : Attrs };
}

async function* whenRead(body: Bytes, done: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } finally {
    done();
  }
}
