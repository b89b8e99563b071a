import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Logger } from "../base/log.ts";
import { PortSocket } from "../linux/port-socket.ts";
import { ScratchSocket } from "../linux/scratch-socket.ts";
import { HttpServer } from "../server/http/http-server.ts";
import { closeListeners, type Listener, listen } from "./listeners.ts";
import { lockDaemon } from "./lock.ts";

let directory: string;
let server: HttpServer;
let open: Listener[];
let logged: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "gantry-listen-"));
  server = new HttpServer({ handler: async ({ path }) => ({ status: 200, body: path }), onError: () => {} });
  open = [];
  logged = [];
});

afterEach(async () => {
  closeListeners(open);
  await server.close(0);
  rmSync(directory, { recursive: true });
});

async function listenOn(hosts: string[], more: Partial<Parameters<typeof listen>[0]> = {}): Promise<Listener[]> {
  const log = new Logger("info", (line) => logged.push(line));
  const options = { hosts, tls: undefined, insecure: false, group: "0", inherited: [], log, ...more };
  open = await listen(options, (listener) => server.attach(listener.server, listener.event));
  return open;
}

describe("unix sockets", () => {
  test("are for root and one group, and answer", async () => {
    const path = join(directory, "deep", "s");
    await listenOn([`unix://${path}`], { group: "1" });
    const { mode, gid } = statSync(path);
    expect({ mode: mode & 0o777, gid }).toEqual({ mode: 0o660, gid: 1 });
    expect(await (await fetch("http://x/hello", { unix: path })).text()).toBe("/hello");
    closeListeners(open);
    expect(existsSync(path)).toBe(false);
  });

  test("have their rights before they are announced", async () => {
    const path = join(directory, "s");
    let early: number | undefined;
    const umask = process.umask();
    const log = new Logger("info", () => {
      early ??= statSync(path).mode & 0o777;
    });
    await listenOn([`unix://${path}`], { log, group: "1" });
    expect(early).toBe(0o660);
    expect(process.umask()).toBe(umask);
  });

  test("that nobody answers are replaced; a living daemon's and other files are not", async () => {
    const path = join(directory, "s");
    await listenOn([`unix://${path}`]);
    const first = open;
    await expect(listenOn([`unix://${path}`])).rejects.toThrow("another daemon is listening on it");
    expect(existsSync(path)).toBe(true);
    closeListeners(first);
    const dead = Bun.spawnSync(["python3", "-c", `import socket; socket.socket(socket.AF_UNIX).bind("${path}")`]);
    expect(dead.exitCode).toBe(0);
    await listenOn([`unix://${path}`]);
    expect(await (await fetch("http://x/again", { unix: path })).text()).toBe("/again");
    const file = join(directory, "file");
    writeFileSync(file, "precious");
    await expect(listenOn([`unix://${file}`])).rejects.toThrow("the path exists");
    expect(existsSync(file)).toBe(true);
  });

  test("need a group that exists", async () => {
    await expect(listenOn([`unix://${join(directory, "s")}`], { group: "nosuchgroup" })).rejects.toThrow(
      "group nosuchgroup not found",
    );
    expect(existsSync(join(directory, "s"))).toBe(false);
  });
});

describe("TCP", () => {
  test("is refused in the clear unless that is asked for, and then warned of", async () => {
    await expect(listenOn(["tcp://127.0.0.1:0"])).rejects.toThrow("without client certificates");
    const [listener] = await listenOn(["tcp://127.0.0.1:0"], { insecure: true });
    const { port } = (listener as Listener).server.address() as AddressInfo;
    expect(await (await fetch(`http://127.0.0.1:${port}/open`)).text()).toBe("/open");
    expect(logged.join("")).toContain("IS OPEN TO ANYBODY");
  });

  test("with TLS serves only clients that have a certificate of the authority", async () => {
    const pem = (name: string) => join(directory, name);
    makeCertificates(directory);
    const tls = { verify: true, ca: pem("ca.pem"), cert: pem("server.pem"), key: pem("server-key.pem") };
    const [listener] = await listenOn(["tcp://127.0.0.1:0"], { tls });
    const { port } = (listener as Listener).server.address() as AddressInfo;
    const curl = (...args: string[]) =>
      Bun.spawn(["curl", "-s", "-m", "5", "--cacert", pem("ca.pem"), ...args, `https://127.0.0.1:${port}/tls`]);
    const known = curl("--cert", pem("client.pem"), "--key", pem("client-key.pem"));
    expect(await new Response(known.stdout).text()).toBe("/tls");
    const stranger = curl();
    expect(await new Response(stranger.stdout).text()).toBe("");
    expect(await stranger.exited).not.toBe(0);
  });

  test("a taken port is an error, and nothing stays open", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => taken.once("listening", resolve));
    const { port } = taken.address() as AddressInfo;
    const path = join(directory, "s");
    const both = [`unix://${path}`, `tcp://127.0.0.1:${port}`];
    await expect(listenOn(both, { insecure: true })).rejects.toThrow("failed to load listeners");
    expect(existsSync(path)).toBe(false);
    taken.close();
  });
});

test("other protocols are refused", async () => {
  await expect(listenOn(["npipe://x"])).rejects.toThrow("unsupported proto 'npipe'");
});

describe("sockets that systemd opened", () => {
  const refusals: [string, number[], string][] = [
    ["fd://", [], "no sockets found via socket activation: make sure the service was started by systemd"],
    ["fd://x", [3], "failed to parse systemd fd address: should be a number: x"],
    ["fd://9", [3], "too few socket activated files passed in by systemd"],
    // Open, and no socket; not open.
    ["fd://", [openSync("/dev/null", "r")], "failed to listen on systemd activated file: fd"],
    ["fd://", [987_654], "failed to listen on systemd activated file: fd 987654"],
  ];
  for (const [host, inherited, message] of refusals) {
    test(`${host} of ${inherited.length}: ${message}`, async () => {
      await expect(listenOn([host], { inherited })).rejects.toThrow(message);
    });
  }

  test("answer whoever came before the daemon did, and stay when it ends", async () => {
    const path = join(directory, "s");
    using socket = new ScratchSocket("stream", path);
    const early = fetch("http://x/early", { unix: path });
    await listenOn(["fd://"], { inherited: [socket.duplicate()] });
    expect(await (await early).text()).toBe("/early");
    closeListeners(open);
    expect(existsSync(path)).toBe(true);
    const next = fetch("http://x/next", { unix: path });
    await listenOn(["fd://*"], { inherited: [socket.duplicate()] });
    expect(await (await next).text()).toBe("/next");
  });

  test("of TCP need client certificates as others do", async () => {
    const port = new PortSocket("tcp", "127.0.0.1", 0);
    const inherited = [Number(Reflect.get(port, "fd"))];
    await expect(listenOn(["fd://"], { inherited })).rejects.toThrow("without client certificates");
    port[Symbol.dispose]();
  });
});

describe("the lock", () => {
  test("lets one daemon have a data root and a pidfile", () => {
    const options = { dataRoot: join(directory, "data"), pidfile: join(directory, "run", "pid") };
    const lock = lockDaemon(options);
    expect(() => lockDaemon({ ...options, pidfile: join(directory, "other") })).toThrow(
      "another daemon is using the data root",
    );
    lock.release();
    expect(existsSync(options.pidfile)).toBe(false);
    lockDaemon(options).release();
  });

  test("waits for what a killed daemon was starting", async () => {
    const options = { dataRoot: join(directory, "data"), pidfile: join(directory, "pid") };
    lockDaemon(options).release();
    const script = "flock -n 3 && echo held && exec sleep 0.3";
    await using holder = Bun.spawn(["sh", "-c", `exec 3>${options.dataRoot}/daemon.lock; ${script}`], {
      stdout: "pipe",
    });
    await holder.stdout.getReader().read();
    lockDaemon(options).release();
  });

  test("refuses the pidfile of a living process and replaces a dead one's", () => {
    const options = { dataRoot: join(directory, "data"), pidfile: join(directory, "pid") };
    writeFileSync(options.pidfile, "1");
    expect(() => lockDaemon(options)).toThrow(
      `failed to start daemon, ensure gantry is not running or delete ${options.pidfile}: process with PID 1 is still running`,
    );
    writeFileSync(options.pidfile, "4194304999");
    lockDaemon(options).release();
  });

  test("replaces the pidfile of a process that has ended and that nobody has reaped", async () => {
    const options = { dataRoot: join(directory, "data"), pidfile: join(directory, "pid") };
    // `sleep` inherits a child that it does not wait for; the child outlives the shell, which would reap it.
    await using parent = Bun.spawn(["sh", "-c", "sleep 0.2 & echo $!; exec sleep 60"], { stdout: "pipe" });
    const { value } = await parent.stdout.getReader().read();
    const pid = new TextDecoder().decode(value).trim();
    while (!/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"))) await Bun.sleep(5);
    writeFileSync(options.pidfile, pid);
    lockDaemon(options).release();
  });
});

function makeCertificates(where: string): void {
  const script = `set -e; cd "$1"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout ca-key.pem -out ca.pem -subj /CN=ca
    for name in server client; do
      openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout $name-key.pem -out $name.csr -subj /CN=$name
      printf 'subjectAltName=IP:127.0.0.1' > ext
      openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -extfile ext -out $name.pem
    done`;
  const made = Bun.spawnSync(["bash", "-c", script, "bash", where], { stdout: "ignore", stderr: "pipe" });
  if (made.exitCode !== 0) throw new Error(made.stderr.toString());
  chmodSync(join(where, "server-key.pem"), 0o600);
}
