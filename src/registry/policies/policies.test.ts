import { expect, test } from "bun:test";
import { digestOf } from "../../oci/digest.ts";
import { errorCodes, imageManifest, testRegistry } from "../testing.ts";

const manifestType = { "content-type": "application/vnd.oci.image.manifest.v1+json" };

test("immutable tags: set once, set again to the same, never moved or removed", async () => {
  await using r = await testRegistry({ "tags.immutable": ["release/**:v*"] });
  const digest = await r.pushImage("release/app", "v1", "one");
  await r.pushImage("release/app", "v1", "one");
  await r.pushImage("release/app", "", "two");
  const put = await r.request("PUT", "release/app/manifests/v1", imageManifest("two"), manifestType);
  expect([put.status, await errorCodes(put)]).toEqual([403, ["DENIED"]]);
  for (const reference of ["v1", digest]) {
    expect((await r.request("DELETE", `release/app/manifests/${reference}`)).status).toBe(403);
  }
  expect((await r.request("HEAD", "release/app/manifests/v1")).headers.get("docker-content-digest")).toBe(digest);
  await r.pushImage("release/app", "latest", "one");
  await r.pushImage("release/app", "latest", "two");
  await r.pushImage("other/app", "v1", "one");
  await r.pushImage("other/app", "v1", "two");
  expect((await r.request("DELETE", "other/app/manifests/v1")).status).toBe(202);
});

test("quotas: of a namespace, each blob once, by upload and by mount", async () => {
  await using r = await testRegistry({ quotas: [{ namespace: "team", bytes: 100 }] });
  await r.pushBlob("team/a", "x".repeat(60));
  await r.pushBlob("team/b", "x".repeat(60));
  const large = "y".repeat(50);
  const refused = await r.request("POST", `team/a/blobs/uploads/?digest=${digestOf(large)}`, large);
  expect(refused.status).toBe(403);
  expect(await refused.json()).toEqual({
    errors: [
      {
        code: "DENIED",
        message: "quota of namespace team exceeded: 60 of 100 bytes are used, the blob has 50",
        detail: { namespace: "team", used: 60, bytes: 100, size: 50 },
      },
    ],
  });
  await r.pushBlob("teams/a", large);
  expect((await r.request("POST", `team/a/blobs/uploads/?mount=${digestOf(large)}&from=teams/a`)).status).toBe(403);
  expect((await r.request("HEAD", `team/a/blobs/${digestOf(large)}`)).status).toBe(404);
  await r.pushBlob("team/a", "z".repeat(40));
});

test("retention: the newest and the young stay, with what they need; the rest goes with its space", async () => {
  const rules = [
    { repositories: ["ci/*"], tags: ["**"], keep: 2, days: 0 },
    { repositories: ["ci/*"], tags: ["keep-*"], keep: 0, days: 1 },
  ];
  await using r = await testRegistry({ retention: rules, "gc.lease": 0.05, "tags.immutable": ["ci/app:fixed"] });
  for (const tag of ["fixed", "keep-a", "one", "two", "three"]) {
    await r.pushImage("ci/app", tag, tag);
    await Bun.sleep(3);
  }
  await r.pushImage("other/app", "old", "old");
  await Bun.sleep(100);
  expect(await r.registry.collect()).toMatchObject({ tags: 1, manifests: 1 });
  const tags = await r.request("GET", "ci/app/tags/list");
  expect(((await tags.json()) as { tags: string[] }).tags).toEqual(["fixed", "keep-a", "three", "two"]);
  expect((await r.request("GET", `ci/app/blobs/${digestOf("one")}`)).status).toBe(404);
  expect((await r.request("GET", `ci/app/blobs/${digestOf("two")}`)).status).toBe(200);
  expect((await r.request("GET", "other/app/manifests/old")).status).toBe(200);
});
