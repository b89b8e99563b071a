/** The real docker CLIs that are installed, against the real server with fake backends: what the wire must look like for them. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import type { ContainerInspect, ContainerSummary, ExecInspect } from "../api/containers.ts";
import { frame } from "../api/stdcopy.ts";
import type { EventMessage } from "../api/system.ts";
import { conflict, notFound } from "../base/errors.ts";
import { collect } from "../base/streams.ts";
import type { AttachSession } from "./backends.ts";
import { type FakeBackends, fakeHandler } from "./fake-engine.ts";
import { HttpServer } from "./http/http-server.ts";

/** `DOCKER_CLIS`: other executables to try, separated by colons. */
const clis = (process.env["DOCKER_CLIS"] ?? "/usr/bin/docker:/usr/local/bin/docker").split(":").filter(existsSync);

// Each test starts the CLI, some of them twice: on a busy machine that takes its time.
setDefaultTimeout(30_000);

let directory: string;
let server: HttpServer;
let uploaded = 0;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "gantry-cli-"));
  server = new HttpServer({ handler: fakeHandler(fakes), onError: (error) => console.error(error) });
  const listener = createServer({ allowHalfOpen: true });
  server.attach(listener);
  await new Promise<void>((resolve) => listener.listen(join(directory, "s"), resolve));
});

afterAll(async () => {
  await server.close(0);
  rmSync(directory, { recursive: true });
});

/** Echoes stdin to stdout and says how many bytes there were on stderr, framed. */
const echoSession: AttachSession = {
  multiplexed: true,
  serve: (client: Duplex) =>
    new Promise((resolve) => {
      let size = 0;
      client.on("data", (chunk: Buffer) => {
        size += chunk.length;
        client.write(frame("stdout", chunk));
      });
      client.on("end", () => {
        client.write(frame("stderr", Buffer.from(`${size} bytes\n`)));
        resolve();
      });
    }),
};

const container = {
  Id: "c".repeat(64),
  Name: "/web",
  State: { Status: "running", Running: true, Pid: 1, ExitCode: 0 },
  Config: { Tty: false, Image: "busybox", OpenStdin: true },
  HostConfig: {},
  NetworkSettings: { Networks: {} },
} as unknown as ContainerInspect;

const summary = {
  Id: container.Id,
  Names: ["/web"],
  Image: "busybox",
  Command: "sh",
  Created: 1,
  Ports: [],
  Labels: {},
  State: "running",
  Status: "Up 2 seconds",
  HostConfig: { NetworkMode: "default" },
  NetworkSettings: { Networks: {} },
  Mounts: [],
} as unknown as ContainerSummary;

async function* lines(...texts: string[]) {
  for (const text of texts) yield frame("stdout", Buffer.from(text));
}

const fakes: FakeBackends = {
  containers: {
    list: async () => [summary],
    inspect: async (id) => {
      if (id !== "web") throw notFound(`No such container: ${id}`);
      return container;
    },
    create: async () => ({ Id: container.Id, Warnings: [] }),
    start: async () => {},
    attach: async () => echoSession,
    wait: async () => ({ result: Promise.resolve({ StatusCode: 7 }) }),
    remove: async () => {
      throw conflict(
        "You cannot remove a running container web. Stop the container before attempting removal or force remove",
      );
    },
    logs: async () => ({ multiplexed: true, body: lines("one\n", "two\n") }),
    statPath: async () => ({ name: "x", size: 1, mode: 0o755, mtime: "2026-01-01T00:00:00Z", linkTarget: "" }),
  },
  execs: {
    create: async () => ({ Id: "e1" }),
    start: async (_id, { ConsoleSize }) => {
      if (ConsoleSize) throw new Error("no console without a terminal");
      return echoSession;
    },
    inspect: async () => ({ ID: "e1", Running: false, ExitCode: 3 }) as ExecInspect,
  },
  images: {
    load: async (archive, { progress }) => {
      uploaded = (await collect(archive)).length;
      progress({ stream: "Loaded image: x:1\n" });
    },
  },
  system: {
    version: () =>
      ({
        Version: "1.2.3",
        ApiVersion: "1.51",
        MinAPIVersion: "1.24",
        Components: [],
        Platform: { Name: "" },
      }) as never,
    events: ({ signal }) =>
      (async function* () {
        yield {
          Type: "container",
          Action: "start",
          Actor: { ID: "abc", Attributes: {} },
          time: 1,
          timeNano: 1e9,
        } as EventMessage;
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      })(),
  },
};

async function docker(cli: string, args: string[], stdin = "") {
  const child = Bun.spawn([cli, "-H", `unix://${join(directory, "s")}`, ...args], {
    stdin: Buffer.from(stdin),
    stdout: "pipe",
    stderr: "pipe",
    env: { PATH: process.env["PATH"] ?? "", DOCKER_CONFIG: directory, HOME: directory },
  });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { out, err, code: await child.exited };
}

for (const cli of clis) {
  describe(cli, () => {
    test("lists containers and shows versions", async () => {
      expect((await docker(cli, ["ps", "--format", "{{.Names}} {{.Status}}"])).out).toBe("web Up 2 seconds\n");
      expect((await docker(cli, ["version", "--format", "{{.Server.Version}}"])).out).toBe("1.2.3\n");
    });

    test("prints the daemon's errors", async () => {
      expect(await docker(cli, ["rm", "web"])).toMatchObject({
        code: 1,
        err: expect.stringContaining("You cannot remove a running container web."),
      });
    });

    test("exec: stdin to its end, both outputs, the exit code", async () => {
      expect(await docker(cli, ["exec", "-i", "web", "cat"], "hello\n")).toEqual({
        out: "hello\n",
        err: "6 bytes\n",
        code: 3,
      });
    });

    test("run -i: create, attach, start, wait", async () => {
      expect(await docker(cli, ["run", "-i", "busybox", "cat"], "hello\n")).toEqual({
        out: "hello\n",
        err: "6 bytes\n",
        code: 7,
      });
    });

    test("logs and wait", async () => {
      expect((await docker(cli, ["logs", "web"])).out).toBe("one\ntwo\n");
      expect((await docker(cli, ["wait", "web"])).out).toBe("7\n");
    });

    test("load sends a large archive", async () => {
      const { out } = await docker(cli, ["load"], "x".repeat(3_000_000));
      expect(out).toBe("Loaded image: x:1\n");
      expect(uploaded).toBe(3_000_000);
    });

    test("events come at once", async () => {
      const child = Bun.spawn([cli, "-H", `unix://${join(directory, "s")}`, "events"], { stdout: "pipe" });
      // The stream stays open: what comes is all there is to wait for, in however many pieces the CLI writes it.
      let seen = "";
      for await (const piece of child.stdout) {
        seen += new TextDecoder().decode(piece);
        if (seen.includes("container start abc")) break;
      }
      expect(seen).toContain("container start abc");
      child.kill();
      await child.exited;
    });
  });
}
