/**
 * Traffic, to be run in a network namespace (`nsenter --net=…`): `sink PORT`, `echo PORT`, `send HOST PORT MEGABYTES` (MB/s), `pingpong HOST
 * PORT COUNT` (median round trip in µs), `dns NAME SECONDS` (answers per second to 64 questions at once). Results are one line of JSON.
 */
import { encode } from "dns-packet";

const [role = "", ...rest] = process.argv.slice(2);
const nameServer = "127.0.0.11";

function percentile(values: number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * share)] ?? Number.NaN;
}

function print(result: object): void {
  console.log(JSON.stringify(result));
}

function serve(port: number, echo: boolean): void {
  Bun.listen({
    hostname: "0.0.0.0",
    port,
    socket: {
      data(socket, bytes) {
        if (echo) socket.write(bytes);
      },
      // The sender ends when its last byte has been read.
      end: (socket) => void socket.end(),
      error: () => undefined,
    },
  });
}

async function send(hostname: string, port: number, megabytes: number): Promise<void> {
  const chunk = Buffer.alloc(1 << 20);
  let left = megabytes << 20;
  const { promise: done, resolve } = Promise.withResolvers<void>();
  const pump = (socket: { write(data: Uint8Array): number; shutdown(): void }) => {
    while (left > 0) {
      const written = socket.write(left < chunk.length ? chunk.subarray(0, left) : chunk);
      left -= written;
      if (written < chunk.length && left > 0) return;
    }
    socket.shutdown();
  };
  const start = performance.now();
  await Bun.connect({
    hostname,
    port,
    socket: { open: pump, drain: pump, data: () => undefined, close: () => resolve(), error: () => resolve() },
  });
  await done;
  print({ megabytesPerSecond: megabytes / ((performance.now() - start) / 1000) });
}

async function pingpong(hostname: string, port: number, count: number): Promise<void> {
  const times: number[] = [];
  const { promise: done, resolve } = Promise.withResolvers<void>();
  let sent = 0;
  const next = (socket: { write(data: Uint8Array): number; end(): void }) => {
    if (times.length === count) {
      socket.end();
      resolve();
      return;
    }
    sent = performance.now();
    socket.write(Buffer.from("x"));
  };
  await Bun.connect({
    hostname,
    port,
    socket: {
      open: (socket) => {
        socket.setNoDelay(true);
        next(socket);
      },
      data: (socket) => {
        times.push((performance.now() - sent) * 1000);
        next(socket);
      },
    },
  });
  await done;
  print({ medianMicros: percentile(times, 0.5) });
}

const warmUpMillis = 1000;

/** As many questions as get answers, 64 at once. The first second warms up both sides and is not counted. */
async function dns(name: string, seconds: number): Promise<void> {
  const counted = performance.now() + warmUpMillis;
  let answered = 0;
  let id = 0;
  const question = encode({ type: "query", id: 0, flags: 0x100, questions: [{ type: "A", name }] });
  const socket = await Bun.udpSocket({
    connect: { hostname: nameServer, port: 53 },
    socket: {
      data() {
        if (performance.now() >= counted) answered++;
        ask();
      },
    },
  });
  const ask = () => {
    id = (id + 1) & 0xffff;
    question.writeUInt16BE(id);
    socket.send(question);
  };
  for (let count = 0; count < 64; count++) ask();
  await Bun.sleep(warmUpMillis + seconds * 1000);
  const elapsed = (performance.now() - counted) / 1000;
  print({ perSecond: answered / elapsed });
  process.exit(0);
}

const numbers = rest.map(Number) as [number, number, number];
if (role === "sink" || role === "echo") serve(numbers[0], role === "echo");
else if (role === "send") await send(rest[0] as string, numbers[1], numbers[2]);
else if (role === "pingpong") await pingpong(rest[0] as string, numbers[1], numbers[2]);
else if (role === "dns") await dns(rest[0] as string, numbers[1]);
else throw new Error(`no such role: ${role}`);
