/** Programs that use the daemon through the well-known client libraries, and the docker CLI in all the versions at hand. */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { useTarget } from "./lib/journey.ts";
import { run } from "./lib/run.ts";
import { repository } from "./lib/settings.ts";

const target = useTarget();

function context(): string {
  const directory = join(target().root, "context");
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "file"), "from the file\n");
  writeFileSync(
    join(directory, "Dockerfile"),
    'FROM busybox\nCOPY file /file\nCMD ["sh", "-c", "cat /file; sleep 1000"]\n',
  );
  return directory;
}

/** Runs it on the target's test host, where published ports are. */
async function program(name: string): Promise<void> {
  const { socket, cliEnvironment, host } = target();
  const env = {
    ...cliEnvironment,
    DOCKER_SOCKET: socket,
    DOCKER_HOST: `unix://${socket}`,
    CONTEXT: context(),
    // testcontainers leaves a lock file there.
    TMPDIR: target().root,
    // Its helper container comes from a registry.
    TESTCONTAINERS_RYUK_DISABLED: "true",
    TESTCONTAINERS_HOST_OVERRIDE: "127.0.0.1",
  };
  const { stdout, stderr, code } = await run(
    host.command(["timeout", "100", "node", join(repository, "e2e/clients", `${name}.mjs`)]),
    { env },
  );
  expect(`${stdout}${stderr}[${code}]`).toBe(`${name}: done\n[0]`);
}

test("dockerode", () => program("dockerode"));

test("testcontainers", () => program("testcontainers"));

const clis = ["/usr/bin/docker", "/usr/local/bin/docker", process.env["DOCKER_NEWEST"] ?? ""].filter(existsSync);

test.each(clis)("%s drives it", async (cli) => {
  const docker = (...args: string[]) => target().dockerWith({ cli, env: { DOCKER_BUILDKIT: "0" } }, ...args);
  expect((await docker("version", "-f", "{{.Server.Version}}")).code).toBe(0);
  expect((await docker("run", "--rm", "-e", "A=1", "busybox", "sh", "-c", "echo $A")).stdout).toBe("1\n");
  expect((await docker("run", "-d", "--name", "cli", "-p", "127.0.0.1::80", "busybox", "sleep", "1000")).code).toBe(0);
  expect((await docker("exec", "cli", "echo", "inside")).stdout).toBe("inside\n");
  expect((await docker("port", "cli", "80")).stdout).toMatch(/^127\.0\.0\.1:\d+\n$/);
  expect((await docker("ps", "--format", "{{.Names}} {{.Status}}")).stdout).toMatch(/^cli Up/);
  expect((await docker("stop", "-t", "0", "cli")).stdout).toBe("cli\n");
  expect((await docker("logs", "cli")).code).toBe(0);
  expect((await docker("rm", "cli")).stdout).toBe("cli\n");
  const { stdout, stderr } = await docker("build", "-t", "cli-built", context());
  expect(`${stdout}${stderr}`).toContain("Successfully tagged cli-built:latest");
  expect((await docker("rmi", "cli-built")).code).toBe(0);
});

test.each(clis)("%s builds with the BuildKit that it has inside, or with the plugin that is not there", async (cli) => {
  const docker = (...args: string[]) => target().dockerWith({ cli, env: { DOCKER_BUILDKIT: "1" } }, ...args);
  const version = (await docker("version", "-f", "{{.Client.Version}}")).stdout;
  const { stdout, stderr, code } = await docker("build", "-t", "cli-built", context());
  if (Number.parseInt(version, 10) >= 23) {
    expect(`${stdout}${stderr}`).toContain("buildx component is missing");
    return;
  }
  expect(`${stdout}${stderr}`).toContain("naming to docker.io/library/cli-built");
  expect(code).toBe(0);
  expect((await docker("rmi", "cli-built")).code).toBe(0);
});
