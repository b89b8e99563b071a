/** What a build asks of its client beside files. Source: moby/buildkit session/auth, session/secrets, session/sshforward. */
import { createServer, type Socket } from "node:net";
import { readBytes, writeBytes } from "../../buildkit-api/grpc/bytes.ts";
import { codes, GrpcError } from "../../buildkit-api/grpc/status.ts";
import {
  checkAgentRequest,
  credentialsRequest,
  credentialsResponse,
  secretRequest,
  secretResponse,
} from "../../buildkit-api/protocol/messages.ts";
import type { Credentials } from "../../remote/auth.ts";
import type { OpenSession, Session } from "./session.ts";

const methods = {
  credentials: "/moby.filesync.v1.Auth/Credentials",
  secret: "/moby.buildkit.secrets.v1.Secrets/GetSecret",
  checkAgent: "/moby.sshforward.v1.SSH/CheckAgent",
  forwardAgent: "/moby.sshforward.v1.SSH/ForwardAgent",
} as const;

/** `{}`: the client has none for this registry, or there is no client to ask. */
export async function credentialsOf(open: OpenSession, domain: string, signal: AbortSignal): Promise<Credentials> {
  const session = await open().catch(() => undefined);
  if (!session?.supports(methods.credentials)) return {};
  const Host = domain === "docker.io" ? "registry-1.docker.io" : domain;
  const answer = await session.client.unary(methods.credentials, credentialsRequest.encode({ Host }), signal);
  const { Username, Secret } = credentialsResponse.decode(answer);
  if (Username === "" && Secret === "") return {};
  return Username === "" ? { identityToken: Secret } : { username: Username, password: Secret };
}

/** Undefined: the client has no such secret. */
export async function secretOf(session: Session, ID: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
  if (!session.supports(methods.secret)) return undefined;
  try {
    return secretResponse.decode(await session.client.unary(methods.secret, secretRequest.encode({ ID }), signal)).data;
  } catch (error) {
    if (error instanceof GrpcError && error.code === codes.notFound) return undefined;
    throw error;
  }
}

/** Listens on `path` and leads every connection to the client's SSH agent. Undefined: the client has no agent of this name. */
export async function forwardAgent(session: Session, id: string, path: string): Promise<AsyncDisposable | undefined> {
  if (!session.supports(methods.checkAgent)) return undefined;
  try {
    await session.client.unary(methods.checkAgent, checkAgentRequest.encode({ ID: id }));
  } catch {
    return undefined;
  }
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    pipeAgent(session, id, socket).catch(() => socket.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => resolve());
  });
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function pipeAgent(session: Session, id: string, socket: Socket): Promise<void> {
  const call = session.client.open(methods.forwardAgent, { "buildkit.ssh.id": id });
  socket.on("data", (data: Buffer) => {
    socket.pause();
    writeBytes(call.messages, data).then(
      () => socket.resume(),
      () => socket.destroy(),
    );
  });
  socket.on("end", () => call.end());
  socket.on("close", () => call.cancel());
  for await (const bytes of readBytes(call.messages)) socket.write(bytes);
  socket.end();
}
