/** The engine about itself: info, version, df, ping, and the API's shape in its versions. */
import { expect, test } from "bun:test";
import { useTarget } from "./lib/journey.ts";
import { Session } from "./lib/session.ts";
import { describeShape } from "./lib/shape.ts";

const target = useTarget();

/** Versions whose answers differed when Docker changed them. */
const versions = ["1.24", "1.25", "1.30", "1.35", "1.40", "1.41", "1.44", "1.47", "1.51"];

test("ping, info, version, df", async () => {
  const ping = await target().api("/_ping");
  expect(await ping.text()).toBe("OK");
  expect(ping.headers.get("cache-control")).toBe("no-cache, no-store, must-revalidate");
  expect(ping.headers.get("pragma")).toBe("no-cache");
  expect(ping.headers.get("ostype")).toBe("linux");
  expect(ping.headers.get("docker-experimental")).toBe("false");
  expect(Number(ping.headers.get("api-version")?.split(".")[1])).toBeGreaterThanOrEqual(41);
  const head = await target().api("/_ping", { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
  const info = (await (await target().api("/info")).json()) as Record<string, unknown>;
  expect(info).toMatchObject({ Driver: expect.stringMatching(/^overlay/), OSType: "linux", CgroupDriver: "cgroupfs" });
  expect(info["Images"]).toBe(1);
  expect(info["NCPU"]).toBeGreaterThan(0);
  const session = new Session(target());
  await session.play(`
    docker info --format '{{.Containers}} {{.ContainersRunning}} {{.Images}} {{.MemoryLimit}} {{.IPv4Forwarding}} {{.LoggingDriver}} {{.CgroupDriver}} {{.OSType}} {{.Architecture}} {{json .SecurityOptions}} {{.Swarm.LocalNodeState}} {{.LiveRestoreEnabled}} {{.ExperimentalBuild}}' | sed 's/"name=apparmor",//; s/,"name=cgroupns"//'
    docker version --format '{{.Server.Os}} {{.Server.Arch}} {{.Server.Experimental}}'
    docker run -d --name d1 -v dv:/x busybox sh -c 'echo hello >/x/f; echo hi >/f; sleep 1000'
    sleep 1
    docker system df --format '{{.Type}} {{.TotalCount}} {{.Active}}'
    docker system df -v --format '{{json .}}' | wc -c | grep -c .
    docker rm -f d1
    docker system prune -f --volumes | grep -v '[0-9a-f]\\{64\\}' | sed 's/[0-9.]*k*B$/N/'
    docker volume rm dv
    docker system events --since 0s --until 0s
  `);
  await session.matches("system/about");
});

test("the API's words for errors", async () => {
  const session = new Session(target());
  await session.play(`
    api GET /v1.41/nothere
    api GET /v9.99/info
    api GET /v1.2/info
    api POST /v1.41/containers/create '{"Image":"busybox"'
    api POST /v1.41/containers/create '{}'
    api POST /v1.41/containers/create '{"Image":"nothere"}'
    api POST /v1.41/containers/create '[]'
    api POST /v1.41/containers/create '{"Image":5}'
    api POST /v1.41/containers/create '{"Image":"busybox","HostConfig":{"Binds":"x"}}'
    api POST /v1.41/containers/nothere/update '"x"'
    api POST /v1.41/containers/nothere/exec '[]'
    api POST /v1.41/exec/nothere/start 'true'
    api POST /v1.41/commit '[]'
    api POST /v1.41/networks/create '[]'
    api POST /v1.41/networks/create '{"Name":5}'
    api POST /v1.41/networks/nothere/connect '[]'
    api POST /v1.41/networks/nothere/disconnect '[]'
    api POST /v1.41/volumes/create '[]'
    api POST '/v1.41/containers/create?name=/ok-name' '{"Image":"busybox"}' | sed 's/"Id":"[^"]*"/"Id":"X"/'
    api POST '/v1.41/containers/create?name=ok-name' '{"Image":"busybox"}'
    api GET /v1.41/containers/nothere/json
    api GET '/v1.41/containers/json?filters=nonsense'
    api GET '/v1.41/containers/json?limit=x'
    api POST /v1.41/containers/ok-name/start
    until_state ok-name exited
    api POST /v1.41/containers/ok-name/start
    until_state ok-name exited
    api POST /v1.41/containers/ok-name/stop?t=0
    api POST /v1.41/containers/ok-name/stop
    api POST /v1.41/containers/ok-name/kill
    api POST '/v1.41/containers/ok-name/resize?h=x&w=1'
    api POST '/v1.41/containers/ok-name/resize?h=1&w=1'
    api GET '/v1.41/containers/ok-name/logs'
    api GET '/v1.41/containers/ok-name/archive'
    curl -sSI --unix-socket $SOCKET 'http://docker/v1.41/containers/ok-name/archive?path=/nothere' | head -n 1
    api GET '/v1.41/containers/ok-name/top'
    api DELETE /v1.41/containers/ok-name
    api DELETE /v1.41/containers/ok-name
    api DELETE /v1.41/images/nothere
    api POST '/v1.41/images/busybox/tag?repo=UPPER'
    api GET /v1.41/images/nothere/json
    api DELETE /v1.41/volumes/nothere
    api GET /v1.41/networks/nothere
    api PUT /v1.41/info
  `);
  await session.matches("system/errors");
});

test("answers have the shape of the version asked for", async () => {
  await target().must("run", "-d", "--name", "shape", "-p", "8080:80", "-v", "sv:/v", "busybox", "sleep", "1000");
  const session = new Session(target());
  for (const version of versions) {
    for (const path of [
      "containers/shape/json",
      "containers/json?all=1",
      "images/json",
      "images/busybox/json",
      "volumes",
    ]) {
      const response = await target().api(`/v${version}/${path}`);
      const body = response.ok ? describeShape(await response.json()) : await response.text();
      session.note(`${version} ${path}`, `${response.status}\n${body}`);
    }
  }
  await target().must("rm", "-f", "shape");
  await target().must("volume", "rm", "sv");
  await session.matches("system/shapes");
});
