/**
 * Questions about the world, passed on to real name servers: all of them at once, and the first good answer counts. Answers are kept
 * for a few seconds, as bytes. Each question has a socket, and so a random port, of its own: forged answers find no way in.
 */
import { randomInt } from "node:crypto";
import { connect } from "node:net";
import { isTruncated, leastTtl, responseCode, responseCodes } from "./messages.ts";

/** Time for an answer in ms: shorter than the clients' own 5 s, so that they hear of the failure. */
const patience = 4000;
/** Answers are kept no longer than this, in seconds, since their time to live does not count down meanwhile. */
const longestKept = 10;
const [mostKept, mostAtOnce] = [1000, 1024];

export class Forwarder {
  private readonly kept = new Map<string, { message: Buffer; until: number }>();
  private underWay = 0;

  /** The answer with the question's id; undefined: nobody gave one in time. */
  async ask(message: Uint8Array, servers: readonly string[], byTcp: boolean): Promise<Buffer | undefined> {
    if (servers.length === 0 || this.underWay >= mostAtOnce) return undefined;
    const key = `${byTcp}${servers.join(",")} ${Buffer.from(message.subarray(2)).toString("latin1")}`;
    const known = this.kept.get(key);
    if (known && known.until > Date.now()) return withId(known.message, message);
    this.underWay++;
    try {
      const answer = await race(message, servers, byTcp);
      if (answer && !isTruncated(answer)) this.keep(key, answer);
      return answer;
    } finally {
      this.underWay--;
    }
  }

  private keep(key: string, message: Buffer): void {
    const seconds = Math.min(longestKept, leastTtl(message) ?? 0);
    if (seconds === 0) return;
    const [oldest] = this.kept.keys();
    if (this.kept.size >= mostKept && oldest !== undefined) this.kept.delete(oldest);
    this.kept.delete(key);
    this.kept.set(key, { message, until: Date.now() + seconds * 1000 });
  }
}

function withId(answer: Buffer, question: Uint8Array): Buffer {
  const copy = Buffer.from(answer);
  copy.set(question.subarray(0, 2));
  return copy;
}

/** A refusal or failure counts only when nobody says better. */
async function race(message: Uint8Array, servers: readonly string[], byTcp: boolean): Promise<Buffer | undefined> {
  const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
  const end = new AbortController();
  const timer = setTimeout(() => resolve(undefined), patience);
  let worst: Buffer | undefined;
  const asking = servers.map(async (server) => {
    const answer = await (byTcp ? askByTcp : askByUdp)(message, server, end.signal).catch(() => undefined);
    if (!answer) return;
    const code = responseCode(answer);
    if (code === responseCodes.noError || code === responseCodes.nameError) resolve(answer);
    else worst ??= answer;
  });
  void Promise.all(asking).then(() => resolve(worst));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    end.abort();
  }
}

async function askByUdp(message: Uint8Array, server: string, signal: AbortSignal): Promise<Buffer | undefined> {
  const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
  const id = randomInt(0x10000);
  const question = Buffer.from(message);
  question.writeUInt16BE(id);
  const socket = await Bun.udpSocket({
    connect: { hostname: server, port: 53 },
    socket: {
      data(_, data) {
        if (data.length >= 12 && data.readUInt16BE(0) === id && isSameQuestion(data, message)) {
          resolve(withId(Buffer.from(data), message));
        }
      },
      error: () => resolve(undefined),
    },
  });
  signal.addEventListener("abort", () => resolve(undefined), { once: true });
  if (signal.aborted) resolve(undefined);
  try {
    socket.send(question);
    return await promise;
  } finally {
    socket.close();
  }
}

function askByTcp(message: Uint8Array, server: string, signal: AbortSignal): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: server, port: 53, signal });
    const frame = Buffer.alloc(2 + message.length);
    frame.writeUInt16BE(message.length);
    frame.set(message, 2);
    let received: Buffer = Buffer.alloc(0);
    socket.on("connect", () => socket.write(frame));
    socket.on("data", (data: Buffer) => {
      received = Buffer.concat([received, data]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      const answer = received.subarray(2, 2 + received.readUInt16BE(0));
      resolve(answer.length >= 12 && isSameQuestion(answer, message) ? withId(answer, message) : undefined);
      socket.destroy();
    });
    socket.on("error", () => resolve(undefined));
    socket.on("close", () => resolve(undefined));
  });
}

/** Whether an answer repeats the question (its one name, type and class), in any case of letters. */
function isSameQuestion(answer: Buffer, question: Uint8Array): boolean {
  const end = questionEnd(question);
  const text = (bytes: Uint8Array) => Buffer.from(bytes.subarray(12, end)).toString("latin1").toLowerCase();
  return answer.length >= end && text(answer) === text(question);
}

function questionEnd(message: Uint8Array): number {
  let at = 12;
  while (at < message.length && message[at] !== 0) at += (message[at] ?? 0) + 1;
  return at + 5;
}
