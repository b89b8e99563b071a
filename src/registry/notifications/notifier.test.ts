import { expect, test } from "bun:test";
import { digestOf } from "../../oci/digest.ts";
import { testRegistry } from "../testing.ts";
import { parseEndpoints } from "./endpoints.ts";
import type { Change } from "./notifier.ts";

interface Event {
  action: Change["action"];
  target: {
    repository: string;
    digest?: string;
    tag?: string;
    mediaType?: string;
    url?: string;
    fromRepository?: string;
  };
  actor: { name?: string };
  request: { method: string };
}

/** An endpoint that takes events as long as `taking`. */
function receiver() {
  const state = { taking: true, refused: 0, events: [] as Event[], types: new Set<string | null>() };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      if (!state.taking) {
        state.refused++;
        return new Response(null, { status: 500 });
      }
      state.types.add(`${request.headers.get("content-type")} ${request.headers.get("x-secret")}`);
      state.events.push(...((await request.json()) as { events: Event[] }).events);
      return new Response(null, { status: 200 });
    },
  });
  const until = async (met: () => boolean) => {
    for (let wait = 0; !met(); wait++) {
      if (wait > 1000) throw new Error(`waited in vain: ${JSON.stringify(state)}`);
      await Bun.sleep(10);
    }
  };
  const endpoint = (more: object = {}) => {
    const headers = { "x-secret": "s" };
    return parseEndpoints([{ name: "hook", url: `http://127.0.0.1:${server.port}/`, headers, ...more }], "n");
  };
  return { state, server, until, endpoint };
}

test("pushes, mounts and deletes, in Docker's envelope and in their order; pulls for who asks", async () => {
  const { state, server, until, endpoint } = receiver();
  const notifications = endpoint({ actions: ["push", "pull", "mount", "delete"] });
  await using r = await testRegistry({ notifications });
  const digest = await r.pushImage("a/x", "t", "layer");
  await r.request("POST", `a/y/blobs/uploads/?mount=${digestOf("layer")}&from=a/x`);
  await r.request("GET", "a/x/manifests/t");
  await r.request("GET", `a/x/blobs/${digestOf("layer")}`);
  await r.request("DELETE", "a/x/manifests/t");
  await until(() => state.events.length >= 7);
  expect(state.events.map(({ action, target }) => [action, target.repository, target.tag ?? target.digest])).toEqual([
    ["push", "a/x", digestOf("layer")],
    ["push", "a/x", digestOf("{}")],
    ["push", "a/x", "t"],
    ["mount", "a/y", digestOf("layer")],
    ["pull", "a/x", "t"],
    ["pull", "a/x", digestOf("layer")],
    ["delete", "a/x", "t"],
  ]);
  expect(state.events[2]?.target).toMatchObject({
    ...{ mediaType: "application/vnd.oci.image.manifest.v1+json", digest },
    url: `http://registry/v2/a/x/manifests/${digest}`,
  });
  expect(state.events[3]?.target.fromRepository).toBe("a/x");
  expect([...state.types]).toEqual(["application/vnd.docker.distribution.events.v1+json s"]);
  await server.stop(true);
});

test("an endpoint that fails gets everything later, once, also after a restart", async () => {
  const { state, server, until, endpoint } = receiver();
  state.taking = false;
  const notifications = endpoint();
  await using first = await testRegistry({ notifications });
  await first.pushImage("a/x", "t", "layer");
  await until(() => state.refused > 0);
  await first.registry.close();
  state.taking = true;
  await using again = await testRegistry({ notifications }, first.root);
  await again.pushBlob("a/x", "more");
  await until(() => state.events.length >= 4);
  expect(state.events.map(({ target }) => target.tag ?? target.digest)).toEqual([
    ...[digestOf("layer"), digestOf("{}"), "t", digestOf("more")],
  ]);
  await server.stop(true);
}, 20_000);

test("an event that is too old is given up, and the log says so", async () => {
  const { state, server, until, endpoint } = receiver();
  state.taking = false;
  await using r = await testRegistry({ notifications: endpoint({ lifetime: 0 }) });
  await r.pushBlob("a/x", "layer");
  await until(() => r.log.some((line) => line.includes("event is given up")));
  await server.stop(true);
});

test.each([
  [[{ name: "a", url: "ftp://x" }], "n[0].url: ftp://x is not an http or https URL"],
  [[{ name: "a", url: "http://x", actions: ["look"] }], "n[0].actions: look is not one of push, pull, mount, delete"],
  [[{ name: "a", url: "http://x", more: 1 }], "n[0]: unknown field more"],
  [
    [
      { name: "a", url: "http://x" },
      { name: "a", url: "http://y" },
    ],
    "two endpoints of one name",
  ],
])("%p is refused", (value, message) => {
  expect(() => parseEndpoints(value, "n")).toThrow(message);
});
