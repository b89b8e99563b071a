/** The streams of a shim's process: framing, terminal, stdin modes, many and slow clients, the log. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { errorKind } from "../base/errors.ts";
import { passDescriptor, type TakenSocket, takeSocket } from "../linux/pass-descriptor.ts";
import { drain, readLog, readUntil, ShimFixture, unframe } from "./shim-fixture.ts";

let fixture: ShimFixture;
beforeAll(() => {
  fixture = new ShimFixture();
});
afterAll(() => fixture.dispose());

const output = { stdin: false, stdout: true, stderr: true };
const all = { stdin: true, stdout: true, stderr: true };

describe("output", () => {
  test("the first byte reaches the client that was to be waited for, and the log has it too", async () => {
    const { shim, directory } = fixture.run({ args: ["sh", "-c", "echo out; echo err >&2"], waitAttach: 1 });
    await shim.started;
    await Bun.sleep(30); // the process has long ended
    const { socket, logPosition } = await shim.attach(output);
    expect(unframe(await drain(socket))).toEqual({ stdout: "out\n", stderr: "err\n" });
    expect(logPosition).toEqual({ generation: 0, inode: statSync(join(directory, "log")).ino, offset: 0 });
    await shim.exited;
    const log = readLog(join(directory, "log"));
    expect(log.map((entry) => `${entry.stream} ${entry.log}`).sort()).toEqual(["stderr err\n", "stdout out\n"]);
    for (const entry of log) expect(entry.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z$/);
  });

  test("goes to every client, to each the streams it asked for", async () => {
    const { shim } = fixture.run({ args: ["sh", "-c", "echo out; echo err >&2"], waitAttach: 3 });
    const clients = await Promise.all([
      shim.attach(output),
      shim.attach({ ...output, stderr: false }),
      shim.attach({ ...output, stdout: false }),
    ]);
    const seen = await Promise.all(clients.map(async ({ socket }) => unframe(await drain(socket))));
    expect(seen).toEqual([
      { stdout: "out\n", stderr: "err\n" },
      { stdout: "out\n", stderr: "" },
      { stdout: "", stderr: "err\n" },
    ]);
  });

  test("a slow client holds the process up, one that vanishes no longer does", async () => {
    const { shim, directory } = fixture.run({ args: ["sh", "-c", "head -c 20000000 /dev/zero | cat"], waitAttach: 2 });
    const slow = await shim.attach(output);
    const quick = await shim.attach(output);
    const draining = drain(quick.socket);
    await Bun.sleep(100);
    expect(existsSync(join(directory, "exit"))).toBe(false);
    slow.socket.destroy();
    expect(unframe(await draining).stdout.length).toBe(20_000_000);
    expect((await shim.exited).exitCode).toBe(0);
  });

  test("a stuck client delays neither the exit nor the others' bytes, and still gets its own", async () => {
    const script = "yes 0123456789abcde | head -c 1200000; exit 4";
    const { shim, directory } = fixture.run({ args: ["sh", "-c", script], waitAttach: 2 });
    const stuck = await shim.attach(output);
    const quick = await shim.attach(output);
    const draining = drain(quick.socket);
    expect((await shim.exited).exitCode).toBe(4);
    expect(readLog(join(directory, "log")).length).toBe(75_000);
    expect(unframe(await draining).stdout.length).toBe(1_200_000);
    expect(unframe(await drain(stuck.socket)).stdout.length).toBe(1_200_000);
  });

  test("a client that replays the log up to its position misses and repeats nothing", async () => {
    const script = "printf 'one\\ntwo\\npart'; while read line; do echo $line; done";
    const { shim, directory } = fixture.run({ args: ["sh", "-c", script], stdin: "once", waitAttach: 1 });
    const first = await shim.attach(all);
    await readUntil(first.socket, "part");
    const { socket, logPosition } = await shim.attach({ ...output, replay: true });
    first.socket.end("ial\n");
    const live = unframe(await drain(socket)).stdout;
    const before = readFileSync(join(directory, "log")).subarray(0, logPosition.offset).toString();
    const replayed = before
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line).log);
    expect(`${replayed.join("")}${live}`).toBe("one\ntwo\npartial\n");
    first.socket.destroy();
  });
});

describe("a passed socket", () => {
  interface Connection {
    client: Socket;
    accepted: Socket;
    taken: TakenSocket;
  }

  /** Both ends of a connection, the second as one that a daemon accepted, paused and has read a little of. */
  async function connection(early = ""): Promise<Connection> {
    const path = join(fixture.directory(), "client.sock");
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(path);
    const client = connect({ path, allowHalfOpen: true });
    const [accepted] = (await once(server, "connection")) as [Socket];
    server.close();
    client.write(early);
    accepted.resume().pause();
    while (accepted.readableLength < early.length) await Bun.sleep(1);
    return { client, accepted, taken: (await takeSocket(accepted)) as TakenSocket };
  }

  test("is read and written by the shim, and ended with the process", async () => {
    const { shim } = fixture.run({ args: ["sh", "-c", "cat; echo bye"], stdin: "once", waitAttach: 1 });
    const { client, taken } = await connection("early ");
    expect(taken.ahead.toString()).toBe("early ");
    const { socket } = await shim.attach(all, taken);
    const sent = "0123456789abcdef".repeat(250_000);
    const draining = drain(client);
    client.end(sent);
    expect(await drain(socket)).toHaveLength(0);
    const { stdout } = unframe(await draining);
    expect(stdout === `early ${sent}bye\n`).toBe(true);
    expect((await shim.exited).exitCode).toBe(0);
  });

  test("goes on here when no process came", async () => {
    const { shim } = fixture.run({ args: ["/nothing"], stdin: "once", waitAttach: 1 });
    const { client, accepted, taken } = await connection("for nobody");
    const { socket } = await shim.attach(all, taken);
    expect(await drain(socket)).toHaveLength(0);
    accepted.end("what went wrong");
    expect((await drain(client)).toString()).toBe("what went wrong");
  });

  test("whose client goes on sending is not reset: the output is all there", async () => {
    const script = "sleep 0.1; echo done";
    const { shim } = fixture.run({ args: ["sh", "-c", script], stdin: "once", waitAttach: 1 });
    const { client, accepted, taken } = await connection();
    const { socket } = await shim.attach(all, taken);
    client.write(Buffer.alloc(8 << 20));
    client.on("error", () => {}); // It cannot send all of it.
    let seen = Buffer.alloc(0);
    client.on("data", (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk]);
    });
    expect(await drain(socket)).toHaveLength(0);
    accepted.destroy();
    while (!client.destroyed) await Bun.sleep(1);
    expect(unframe(seen).stdout).toBe("done\n");
  });

  test("is let go of when the daemon ends the attachment, and the process is held up no longer", async () => {
    const { shim } = fixture.run({ args: ["sh", "-c", "head -c 20000000 /dev/zero | cat"], waitAttach: 1 });
    const { client, accepted, taken } = await connection();
    const { socket } = await shim.attach(output, taken);
    accepted.destroy();
    await Bun.sleep(50);
    socket.destroy();
    expect((await shim.exited).exitCode).toBe(0);
    expect((await drain(client)).length).toBeLessThan(20_000_000);
  });

  test("of a client that sends and goes at once has been sent", async () => {
    const { shim, directory } = fixture.run({ args: ["sh", "-c", "sleep 0.1; cat"], stdin: "once" });
    await shim.started;
    const { client, taken } = await connection();
    const { socket } = await shim.attach(all, taken);
    await new Promise<void>((resolve) => client.write("last words", () => resolve()));
    client.destroy();
    expect(await drain(socket)).toHaveLength(0);
    await shim.exited;
    expect(readLog(join(directory, "log"))).toMatchObject([{ log: "last words" }]);
  });

  test("has to come with the word for it", async () => {
    const { shim, directory } = fixture.run({ args: ["sleep", "1"] });
    await shim.started;
    for (const word of ["", " passed"]) {
      const attach = connect({ path: join(directory, "attach.sock"), allowHalfOpen: true });
      await once(attach, "connect");
      const { taken } = await connection();
      if (word === "") passDescriptor(attach, "attach stdout\n", taken.descriptor);
      else attach.write(`attach stdout${word}\n`);
      expect(await drain(attach)).toHaveLength(0);
    }
    await shim.signal(9);
  });
});

describe("stdin", () => {
  test("none is /dev/null, whatever clients send", async () => {
    const { shim } = fixture.run({ args: ["cat"], waitAttach: 1 });
    const { socket } = await shim.attach(all);
    socket.write("ignored\n");
    expect(unframe(await drain(socket)).stdout).toBe("");
    expect((await shim.exited).exitCode).toBe(0);
  });

  test("once ends with the first client's half-close, which still gets all output", async () => {
    const { shim } = fixture.run({ args: ["sh", "-c", "cat; echo bye"], stdin: "once", waitAttach: 1 });
    const { socket } = await shim.attach(all);
    const sent = "0123456789abcdef".repeat(250_000);
    const draining = drain(socket);
    socket.end(sent);
    const { stdout } = unframe(await draining);
    expect(stdout.length).toBe(sent.length + 4);
    expect(stdout === `${sent}bye\n`).toBe(true);
  });

  test("a client that sends and goes at once has sent", async () => {
    const { shim, directory } = fixture.run({ args: ["sh", "-c", "sleep 0.1; cat"], stdin: "once" });
    await shim.started;
    const { socket } = await shim.attach({ ...all, stdout: false, stderr: false });
    await new Promise<void>((resolve) => socket.write("last words", () => resolve()));
    socket.destroy();
    await shim.exited;
    expect(readLog(join(directory, "log"))).toMatchObject([{ log: "last words" }]);
  });

  test("open stays open over clients, until it is closed", async () => {
    const { shim, directory } = fixture.run({ args: ["cat"], stdin: "open" });
    await shim.started;
    for (const word of ["one\n", "two\n"]) {
      const { socket } = await shim.attach(all);
      socket.end(word);
      await readUntil(socket, word);
      socket.destroy();
    }
    await shim.closeStdin();
    expect((await shim.exited).exitCode).toBe(0);
    expect(readLog(join(directory, "log")).map((entry) => entry.log)).toEqual(["one\n", "two\n"]);
  });

  test("bytes behind a process that no longer reads are thrown away", async () => {
    const { shim } = fixture.run({
      args: ["sh", "-c", "exec <&-; sleep 0.1; echo done"],
      stdin: "once",
      waitAttach: 1,
    });
    const { socket } = await shim.attach(all);
    socket.on("error", () => {});
    socket.write(Buffer.alloc(8 << 20));
    expect(unframe(await drain(socket)).stdout).toBe("done\n");
    expect((await shim.exited).exitCode).toBe(0);
  });
});

describe("terminal", () => {
  test("has the size it was given, is resized, and passes bytes raw", async () => {
    const script = "stty size; read line; stty size; echo end $line";
    const start = {
      args: ["sh", "-c", script],
      terminal: true,
      stdin: "open" as const,
      rows: 33,
      cols: 111,
      waitAttach: 1,
    };
    const { shim, directory } = fixture.run(start);
    const { socket } = await shim.attach(all);
    expect(await readUntil(socket, "\r\n")).toBe("33 111\r\n");
    await shim.resize(44, 99);
    socket.write("word\n");
    expect(await readUntil(socket, "end word\r\n")).toBe("word\r\n44 99\r\nend word\r\n");
    expect((await shim.exited).exitCode).toBe(0);
    expect(readLog(join(directory, "log"))[0]).toMatchObject({ log: "33 111\r\n", stream: "stdout" });
  });

  test("a quick process loses nothing", async () => {
    const { shim } = fixture.run({ args: ["seq", "3"], terminal: true, stdin: "none", waitAttach: 1 });
    const { socket } = await shim.attach(output);
    expect((await drain(socket)).toString()).toBe("1\r\n2\r\n3\r\n");
  });

  test("control characters reach the process", async () => {
    const { shim } = fixture.run({
      args: ["sh", "-c", "trap 'echo caught; exit 6' INT; echo up; while :; do sleep 0.02; done"],
      terminal: true,
      stdin: "open",
      waitAttach: 1,
    });
    const { socket } = await shim.attach(all);
    await readUntil(socket, "up");
    socket.write("\x03");
    await readUntil(socket, "caught");
    expect((await shim.exited).exitCode).toBe(6);
  });

  test("large input waits for the process to read it", async () => {
    const script = "stty raw -echo; echo up; head -c 300000 | cat >/dev/null; echo all";
    const { shim } = fixture.run({ args: ["sh", "-c", script], terminal: true, stdin: "open", waitAttach: 1 });
    const { socket } = await shim.attach(all);
    await readUntil(socket, "up");
    socket.write(Buffer.alloc(300_000, "x"));
    await readUntil(socket, "all");
    await shim.exited;
  });

  test("without one there is nothing to resize", async () => {
    const { shim } = fixture.run({ args: ["sleep", "60"] });
    await shim.started;
    const error = await shim.resize(1, 1).catch((reason: unknown) => reason);
    expect(errorKind(error)).toBe("conflict");
    await shim.signal(9);
    await shim.exited;
  });
});

describe("log", () => {
  test("splits long lines at 16 KiB and keeps a last line without a newline", async () => {
    const script = "head -c 20000 /dev/zero | sed s/./x/g; echo; printf end";
    const { shim, directory } = fixture.run({ args: ["sh", "-c", script.replace("sed", "busybox sed")] });
    await shim.exited;
    const log = readLog(join(directory, "log")).map((entry) => entry.log);
    expect(log.map((line) => line.length)).toEqual([16_384, 20_000 - 16_384 + 1, 3]);
    expect(log[2]).toBe("end");
  });

  test("escapes as Go does", async () => {
    const { shim, directory } = fixture.run({
      args: ["sh", "-c", "printf '<a&b> \"q\" \\\\ \\t \\342\\202\\254 \\377\\n'"],
    });
    await shim.exited;
    const text = readFileSync(join(directory, "log"), "utf8");
    expect(text).toStartWith(
      '{"log":"\\u003ca\\u0026b\\u003e \\"q\\" \\\\ \\u0009 € \\ufffd\\n","stream":"stdout","time":"',
    );
  });

  test("is appended to by the next run, and may be left out", async () => {
    const directory = fixture.directory();
    const log = { path: join(directory, "kept.log"), maxSize: 0, maxFile: 1, compress: false, attrs: { tag: 'a"b' } };
    for (const word of ["one", "two"])
      await fixture.run({ args: ["sh", "-c", `echo ${word}`], log, directory }).shim.exited;
    expect(readLog(log.path)).toMatchObject([
      { log: "one\n", attrs: { tag: 'a"b' } },
      { log: "two\n", attrs: { tag: 'a"b' } },
    ]);
    const { log: _, ...start } = fixture.container({ args: ["sh", "-c", "echo three"] });
    const quiet = fixture.spawn(start);
    expect((await quiet.exited).exitCode).toBe(0);
    expect(existsSync(join(start.directory, "log"))).toBe(false);
  });

  test("rotates at its size and compresses what is older", async () => {
    const { shim, directory } = fixture.run({
      args: ["sh", "-c", "seq 1 1000; sleep 0.2; seq 1001 1500"],
      log: { path: join(fixture.base, "rotated.log"), maxSize: 60_000, maxFile: 3, compress: true },
    });
    await shim.exited;
    while (existsSync(join(directory, "control.sock"))) await Bun.sleep(5);
    const path = join(fixture.base, "rotated.log");
    for (let i = 0; i < 100 && !existsSync(`${path}.1.gz`); i++) await Bun.sleep(10);
    const unzip = (name: string): Uint8Array => Bun.gunzipSync(readFileSync(name));
    writeFileSync(`${path}.whole`, Buffer.concat([unzip(`${path}.1.gz`), readFileSync(path)]));
    const numbers = readLog(`${path}.whole`).map((entry) => Number(entry.log));
    expect(numbers.at(-1)).toBe(1500);
    expect(numbers).toEqual(numbers.map((_, i) => (numbers[0] ?? 0) + i));
    expect(statSync(path).size).toBeLessThan(60_200);
  });
});
