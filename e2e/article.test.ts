/**
 * A whole working session: a Debian root is imported, a server is installed in a container by hand, committed, and run as a service.
 * Needs a Debian mirror that both this host and a container behind NAT reach.
 */
import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { aptProxy, debianArchive } from "./lib/debian.ts";
import { useTarget } from "./lib/journey.ts";
import { must, until } from "./lib/run.ts";

const target = useTarget({ busybox: false });
const minutes = 60_000;

test(
  "import, install, commit, run",
  async () => {
    const docker = (...args: string[]) => target().must(...args);
    const { host, root } = target();
    const archive = await debianArchive();

    // Import.
    const imported = await must(["sh", "-c", `exec docker import - debian <${archive}`], {
      env: target().cliEnvironment,
    });
    expect(imported).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await docker("images", "--format", "{{.Repository}}:{{.Tag}}")).toBe("debian:latest");

    // An interactive shell.
    const shell = target().pty(["run", "-it", "debian", "/bin/bash"], { cols: 100, rows: 30 });
    await shell.expect(/root@[0-9a-f]{12}:\/# /);
    shell.type("stty size\r");
    await shell.expect("30 100");
    shell.resize(132, 43);
    await Bun.sleep(500);
    shell.type("stty size; cat /etc/debian_version\r");
    await shell.expect("43 132");
    await shell.expect(/\d+\.\d+|\/sid/);
    shell.type("sleep 1000\r");
    await Bun.sleep(1000);
    shell.type("\x03");
    await shell.expect(/\^C[\s\S]*root@[0-9a-f]{12}:\/# /);
    const id = (await docker("ps", "-l", "-q")).trim();
    expect(id).toMatch(/^[0-9a-f]{12}$/);

    // Installing over NAT, with the host's proxy if it has one.
    writeFileSync(join(root, "99proxy"), await aptProxy());
    await docker("cp", join(root, "99proxy"), `${id}:/etc/apt/apt.conf.d/99proxy`);
    shell.type(
      "export DEBIAN_FRONTEND=noninteractive; apt-get update && apt-get install -y redis-server; echo status-$?\r",
    );
    expect(await shell.expect(/status-\d+/, 8 * minutes)).toContain("status-0");
    shell.type("exit\r");
    expect(await shell.exit()).toBe(0);

    // Commit.
    expect(await docker("ps", "-l", "-q")).toBe(id);
    expect(await docker("ps", "-l", "--format", "{{.Status}}")).toMatch(/^Exited \(0\)/);
    expect(await docker("diff", id)).toContain("A /usr/bin/redis-server");
    const committed = await docker(
      "commit",
      "-m",
      "Redis installed",
      "-a",
      "A U Thor <author@example.org>",
      id,
      "author/redis",
    );
    expect(committed).toMatch(/^sha256:[0-9a-f]{64}$/);
    const images = (await docker("images", "--format", "{{.Repository}}:{{.Tag}}")).split("\n").sort();
    expect(images).toEqual(["author/redis:latest", "debian:latest"]);
    const history = (await docker("history", "--format", "{{.CreatedBy}}|{{.Comment}}", "author/redis")).split("\n");
    expect(history).toEqual(["/bin/bash|Redis installed", "|Imported from -"]);
    expect(await docker("inspect", "-f", "{{.Author}}", "author/redis")).toBe("A U Thor <author@example.org>");

    // A service.
    const server = ["/usr/bin/redis-server", "--protected-mode", "no"];
    const redis = await docker("run", "-d", "-p", "6379:6379", "author/redis", ...server);
    expect(redis).toMatch(/^[0-9a-f]{64}$/);
    const pong = () => until("PONG", () => ask(host.address, "PING\r\n"));
    expect(await pong()).toBe("+PONG\r\n");
    expect(await ask(host.address, "SET answer 42\r\n")).toBe("+OK\r\n");
    expect(await docker("ps", "--format", "{{.Ports}}")).toContain("0.0.0.0:6379->6379/tcp");
    expect(await docker("port", redis, "6379")).toContain("0.0.0.0:6379");
    await until("the log", async () => (await docker("logs", redis)).includes("Ready to accept connections"));

    const attached = target().spawn("attach", redis);
    await Bun.sleep(1000);
    expect(await docker("stop", redis)).toBe(redis);
    expect(await attached.exited).toBe(0);
    expect(await attached.stdout.text()).toContain("Received SIGTERM");
    expect(await docker("inspect", "-f", "{{.State.ExitCode}}", redis)).toBe("0");
    expect(await ask(host.address, "PING\r\n")).toBeUndefined();

    await docker("start", redis);
    expect(await pong()).toBe("+PONG\r\n");
    expect(await ask(host.address, "GET answer\r\n")).toBe("$2\r\n42\r\n");
    await docker("restart", redis);
    expect(await pong()).toBe("+PONG\r\n");

    // Taking it down, in the order that the rules allow.
    expect((await target().docker("rmi", "author/redis")).stderr).toContain(
      "conflict: unable to remove repository reference",
    );
    expect((await target().docker("rm", redis)).code).toBe(1);
    await docker("stop", redis);
    await docker("rm", redis, id);
    expect(await docker("rmi", "author/redis")).toContain("Untagged: author/redis:latest");
    expect(await docker("rmi", "debian")).toContain("Untagged: debian:latest");
    expect(await docker("images", "-aq")).toBe("");
  },
  15 * minutes,
);

/** Its third step is broken at first. */
const redisDockerfile = (port: string) => `FROM debian
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y redis-server
RUN sed -i 's/^protected-mode .*/protected-mode no/; s/^bind .*/bind 0.0.0.0/' /etc/redis/${port === "" ? "missing" : "redis"}.conf
EXPOSE 6379${port}
ENTRYPOINT ["/usr/bin/redis-server"]
CMD ["/etc/redis/redis.conf", "--daemonize", "no"]
`;

test(
  "the same from a Dockerfile, mended in its third step",
  async () => {
    const { host, root } = target();
    const docker = (...args: string[]) => target().must(...args);
    await must(["sh", "-c", `exec docker import - debian <${await debianArchive()}`], { env: target().cliEnvironment });
    const directory = join(root, "redis");
    const build = (text: string) => {
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, "Dockerfile"), text);
      return target().dockerWith({ env: { DOCKER_BUILDKIT: "0" } }, "build", "-t", "author/redis", directory);
    };
    const withProxy = (text: string, proxy: string) =>
      text.replace("RUN apt-get", `RUN echo '${proxy}' >/etc/apt/apt.conf.d/99proxy; apt-get`);
    const proxy = (await aptProxy()).replaceAll("\n", " ");

    const broken = await build(withProxy(redisDockerfile(""), proxy));
    expect(broken.code).toBe(2);
    expect(broken.stderr).toMatch(/The command '\/bin\/sh -c sed .*missing.conf' returned a non-zero code: 2/);
    const mended = await build(withProxy(redisDockerfile("/tcp"), proxy));
    expect(mended.code).toBe(0);
    const record = mended.stdout.split("\n").filter((line) => /^Step|Using cache|Successfully/.test(line.trim()));
    expect(record.map((line) => line.trim().split(" ").slice(0, 2).join(" "))).toEqual(
      ["Step 1/6", "Step 2/6", "---> Using", "Step 3/6", "Step 4/6", "Step 5/6", "Step 6/6"].concat([
        "Successfully built",
        "Successfully tagged",
      ]),
    );

    // The history is the record of the build, and its sizes are those of the layers.
    const history = (
      await docker("history", "--human=false", "--no-trunc", "--format", "{{.Size}}|{{.CreatedBy}}", "author/redis")
    )
      .split("\n")
      .map((line) => ({ size: Number(line.slice(0, line.indexOf("|"))), by: line.slice(line.indexOf("|") + 1) }));
    expect(history.map(({ by }) => by.replace(/^\/bin\/sh -c (#\(nop\) +)?/, "").split(" ")[0])).toEqual([
      "CMD",
      "ENTRYPOINT",
      "EXPOSE",
      "sed",
      "echo",
      "",
    ]);
    expect(history.map(({ size }) => size > 1_000_000)).toEqual([false, false, false, false, true, true]);
    expect(history[3]?.size).toBeGreaterThan(0);
    const whole = Number(await docker("inspect", "-f", "{{.Size}}", "author/redis"));
    expect(history.reduce((sum, { size }) => sum + size, 0)).toBe(whole);

    const redis = await docker("run", "-d", "-p", "6379:6379", "author/redis");
    expect(await until("PONG", () => ask(host.address, "PING\r\n"))).toBe("+PONG\r\n");
    await docker("rm", "-f", redis);
    await docker("rmi", "author/redis", "debian");
    await docker("image", "prune", "-f");
  },
  15 * minutes,
);

/** What the server answers; undefined when nobody does. */
function ask(address: string, text: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(6379, address, () => socket.write(text));
    socket.setTimeout(2000, () => socket.destroy());
    socket.once("data", (data) => {
      resolve(data.toString());
      socket.destroy();
    });
    socket.on("error", () => resolve(undefined));
    socket.on("close", () => resolve(undefined));
  });
}
