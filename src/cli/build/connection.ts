/** Connections to the daemon's BuildKit face: hijacked requests that turn into HTTP/2. Spec: Docker Engine API, "Session". */
import { Duplex } from "node:stream";
import type { ApiClient } from "../../api/client.ts";
import type { HijackedStream } from "../../api/client-hijack.ts";
import { GrpcClient } from "../../buildkit-api/grpc/client.ts";
import { type Methods, serveGrpc } from "../../buildkit-api/grpc/server.ts";

/** On which we call. */
export async function openControl(client: ApiClient): Promise<GrpcClient> {
  return new GrpcClient(toDuplex(await client.hijack("/grpc", { upgrade: "h2c" })));
}

/** On which the daemon calls us, until it is disposed of. `sharedKey` says whose directories these are. */
export async function openSession(
  client: ApiClient,
  session: { id: string; sharedKey: string; methods: Methods },
): Promise<Disposable> {
  const { id, sharedKey, methods } = session;
  const headers = {
    "X-Docker-Expose-Session-Uuid": id,
    "X-Docker-Expose-Session-Name": "",
    "X-Docker-Expose-Session-Sharedkey": sharedKey,
    // One header with all of them: the daemon reads it as a list.
    "X-Docker-Expose-Session-Grpc-Method": [...methods.keys()].join(","),
  };
  const connection = toDuplex(await client.hijack("/session", { upgrade: "h2c", headers }));
  void serveGrpc(connection, methods);
  return { [Symbol.dispose]: () => connection.destroy() };
}

function toDuplex(stream: HijackedStream): Duplex {
  const duplex = new Duplex({
    // HTTP/2 has windows of its own, which bound what is under way.
    read() {},
    write(chunk: Buffer, _encoding, done) {
      stream.write(chunk).then(() => done(), done);
    },
    destroy(error, done) {
      stream.close();
      done(error);
    },
  });
  // Who calls or serves on it hears of the end; there is nobody else to tell.
  duplex.on("error", () => undefined);
  const close = () => duplex.destroy();
  (async () => {
    for await (const chunk of stream) duplex.push(Buffer.from(chunk));
  })().then(close, close);
  return duplex;
}
