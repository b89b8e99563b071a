import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { decode, encode } from "dns-packet";
import { ScratchHost } from "../scratch-host.ts";
import { Forwarder } from "./forwarder.ts";
import { responseCode } from "./messages.ts";
import { StreamServer } from "./stream-server.ts";

// Name servers are at port 53: the test's own host has one free at each loopback address.
let host: ScratchHost;
const servers: { close(): void }[] = [];
beforeAll(() => {
  host = new ScratchHost();
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => host[Symbol.dispose]());

const question = (name: string, id = 1) => encode({ type: "query", id, questions: [{ type: "A", name }] });

type Reply = (
  query: ReturnType<typeof decode>,
) => { code?: number; data?: string; ttl?: number; id?: number } | undefined;

function answerTo(message: Uint8Array, reply: Reply): Buffer | undefined {
  const query = decode(Buffer.from(message));
  const wanted = reply(query);
  if (!wanted) return undefined;
  const { code = 0, data, ttl = 60, id = query.id ?? 0 } = wanted;
  const name = query.questions?.[0]?.name ?? "";
  const answers = data ? [{ type: "A" as const, name, ttl, data }] : [];
  return encode({ type: "response", id, flags: code, questions: query.questions ?? [], answers });
}

/** A name server at the address; returns how often it was asked. */
async function serve(hostname: string, reply: Reply): Promise<{ asked: number }> {
  const count = { asked: 0 };
  const socket = await Bun.udpSocket({
    hostname,
    port: 53,
    socket: {
      data(udp, message, port, address) {
        count.asked++;
        const answer = answerTo(message, reply);
        if (answer) udp.send(answer, port, address);
      },
    },
  });
  servers.push(socket);
  return count;
}

const addressIn = (answer: Buffer | undefined) => {
  const [record] = answer ? (decode(answer).answers ?? []) : [];
  return record && "data" in record ? record.data : undefined;
};

test("all servers are asked, and the first good answer counts", async () => {
  await serve("127.0.0.2", () => ({ code: 5 }));
  await serve("127.0.0.3", () => undefined);
  await serve("127.0.0.4", () => ({ data: "192.0.2.1" }));
  const answer = await new Forwarder().ask(question("a.example", 77), ["127.0.0.2", "127.0.0.3", "127.0.0.4"], false);
  expect(addressIn(answer)).toBe("192.0.2.1");
  expect(answer?.readUInt16BE(0)).toBe(77);
});

test("a refusal counts when nobody says better; a name that does not exist is an answer", async () => {
  await serve("127.0.0.2", () => ({ code: 2 }));
  const refused = await new Forwarder().ask(question("a.example"), ["127.0.0.2", "127.0.0.99"], false);
  expect(refused && responseCode(refused)).toBe(2);
  await serve("127.0.0.3", () => ({ code: 3 }));
  const missing = await new Forwarder().ask(question("a.example"), ["127.0.0.2", "127.0.0.3"], false);
  expect(missing && responseCode(missing)).toBe(3);
});

test("answers are kept for a while, and given with the next question's id", async () => {
  const count = await serve("127.0.0.2", () => ({ data: "192.0.2.1" }));
  const forwarder = new Forwarder();
  await forwarder.ask(question("a.example", 1), ["127.0.0.2"], false);
  const second = await forwarder.ask(question("a.example", 2), ["127.0.0.2"], false);
  expect([second?.readUInt16BE(0), count.asked]).toEqual([2, 1]);
  await forwarder.ask(question("b.example", 3), ["127.0.0.2"], false);
  expect(count.asked).toBe(2);
});

test("an answer that may not be kept is asked for again", async () => {
  const count = await serve("127.0.0.2", () => ({ data: "192.0.2.1", ttl: 0 }));
  const forwarder = new Forwarder();
  for (const id of [1, 2]) await forwarder.ask(question("a.example", id), ["127.0.0.2"], false);
  expect(count.asked).toBe(2);
});

test("a forged answer, with another id, is not believed", async () => {
  await serve("127.0.0.2", (query) => ({ data: "192.0.2.66", id: ((query.id ?? 0) + 1) & 0xffff }));
  await serve("127.0.0.3", () => ({ data: "192.0.2.1" }));
  expect(addressIn(await new Forwarder().ask(question("a.example"), ["127.0.0.2", "127.0.0.3"], false))).toBe(
    "192.0.2.1",
  );
});

test("by TCP as well", async () => {
  const server = new StreamServer(async (message) => answerTo(message, () => ({ data: "192.0.2.1" })));
  server.listen("127.0.0.2", 53);
  servers.push(server);
  expect(addressIn(await new Forwarder().ask(question("a.example"), ["127.0.0.2"], true))).toBe("192.0.2.1");
});

test("nobody there: no answer, at once", async () => {
  expect(await new Forwarder().ask(question("a.example"), ["127.0.0.99"], true)).toBeUndefined();
  expect(await new Forwarder().ask(question("a.example"), [], false)).toBeUndefined();
});
