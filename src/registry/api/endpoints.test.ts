/** The endpoints of the distribution specification, by their ids: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#endpoints */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { digestOf } from "../../oci/digest.ts";
import { mediaTypes } from "../../oci/manifest.ts";
import { errorCodes, imageManifest, type TestRegistry, testRegistry } from "../testing.ts";

let r: TestRegistry;
beforeAll(async () => {
  r = await testRegistry();
});
afterAll(() => r[Symbol.asyncDispose]());

const absent = digestOf("never pushed");
const manifestType = { "content-type": mediaTypes.ociManifest };
const indexType = { "content-type": mediaTypes.ociIndex };
const location = (response: Response) => response.headers.get("location")?.replace("/v2/", "") ?? "";

test("end-1: the version check", async () => {
  const response = await r.request("GET", "/v2/");
  expect(response.status).toBe(200);
  expect(response.headers.get("docker-distribution-api-version")).toBe("registry/2.0");
  expect((await r.request("GET", "/")).status).toBe(200);
});

describe("end-2: blobs", () => {
  test("GET and HEAD tell length and digest", async () => {
    const digest = await r.pushBlob("blobs/a", "hello world");
    const head = await r.request("HEAD", `blobs/a/blobs/${digest}`);
    expect(head.status).toBe(200);
    expect(head.headers.get("content-length")).toBe("11");
    expect(head.headers.get("docker-content-digest")).toBe(digest);
    expect(await (await r.request("GET", `blobs/a/blobs/${digest}`)).text()).toBe("hello world");
    expect(await (await r.request("GET", `blobs/a/blobs/${digest.replace(":", "%3A")}`)).text()).toBe("hello world");
  });

  test.each([
    ["bytes=0-4", 206, "hello", "bytes 0-4/11"],
    ["bytes=6-", 206, "world", "bytes 6-10/11"],
    ["bytes=-5", 206, "world", "bytes 6-10/11"],
    ["bytes=6-99", 206, "world", "bytes 6-10/11"],
    ["bytes=0-1,4-5", 200, "hello world", null],
    ["lines=1-2", 200, "hello world", null],
  ])("Range %s", async (range, status, text, contentRange) => {
    const digest = await r.pushBlob("blobs/a", "hello world");
    const response = await r.request("GET", `blobs/a/blobs/${digest}`, null, { range });
    expect(response.status).toBe(status);
    expect(await response.text()).toBe(text);
    expect(response.headers.get("content-range")).toBe(contentRange);
  });

  test("a range outside, another repository, an unknown and a malformed digest", async () => {
    const digest = await r.pushBlob("blobs/a", "hello world");
    const outside = await r.request("GET", `blobs/a/blobs/${digest}`, null, { range: "bytes=11-" });
    expect(outside.status).toBe(416);
    expect(outside.headers.get("content-range")).toBe("bytes */11");
    const backwards = await r.request("GET", `blobs/a/blobs/${digest}`, null, { range: "bytes=5-2" });
    expect(backwards.status).toBe(416);
    expect((await r.request("GET", `blobs/b/blobs/${digest}`)).status).toBe(404);
    expect(await errorCodes(await r.request("GET", `blobs/a/blobs/${absent}`))).toEqual(["BLOB_UNKNOWN"]);
    const malformed = await r.request("GET", "blobs/a/blobs/sha256:xyz");
    expect([malformed.status, await errorCodes(malformed)]).toEqual([400, ["DIGEST_INVALID"]]);
  });
});

describe("end-3: manifests", () => {
  test("by tag and by digest, with type and digest, 304 for a known one", async () => {
    const digest = await r.pushImage("m/get", "v1", "layer");
    for (const reference of ["v1", digest]) {
      const got = await r.request("GET", `m/get/manifests/${reference}`);
      expect(await got.text()).toBe(imageManifest("layer"));
      expect(got.headers.get("content-type")).toBe(mediaTypes.ociManifest);
      expect(got.headers.get("docker-content-digest")).toBe(digest);
      const head = await r.request("HEAD", `m/get/manifests/${reference}`);
      expect(head.headers.get("content-length")).toBe(String(imageManifest("layer").length));
    }
    for (const tag of [`"${digest}"`, digest, `W/"${digest}"`, `"x", "${digest}"`]) {
      expect((await r.request("GET", "m/get/manifests/v1", null, { "if-none-match": tag })).status).toBe(304);
    }
    expect((await r.request("GET", "m/get/manifests/v1", null, { "if-none-match": '"x"' })).status).toBe(200);
  });

  test.each([
    ["m/get/manifests/v2", 404, "MANIFEST_UNKNOWN"],
    [`m/get/manifests/${absent}`, 404, "MANIFEST_UNKNOWN"],
    ["m/none/manifests/v1", 404, "MANIFEST_UNKNOWN"],
    ["m/get/manifests/.v", 400, "DIGEST_INVALID"],
    ["M/manifests/v1", 400, "NAME_INVALID"],
    ["m//x/manifests/v1", 400, "NAME_INVALID"],
    [`${"a/".repeat(130)}a/manifests/v1`, 400, "NAME_INVALID"],
    ["m/get/nothing", 404, "NOT_FOUND"],
  ])("%s", async (path, status, code) => {
    await r.pushImage("m/get", "v1", "layer");
    const response = await r.request("GET", path);
    expect([response.status, await errorCodes(response)]).toEqual([status, [code]]);
  });
});

describe("end-4a, end-4b: uploads begin", () => {
  test("POST alone opens a session", async () => {
    const response = await r.request("POST", "up/blobs/uploads/");
    expect(response.status).toBe(202);
    expect(location(response)).toMatch(/^up\/blobs\/uploads\/[a-f0-9]{32}$/);
    expect(response.headers.get("range")).toBe("0-0");
  });

  test("POST with a digest stores the body, or refuses another digest and keeps nothing", async () => {
    const digest = digestOf("monolithic");
    const good = await r.request("POST", `up/blobs/uploads/?digest=${digest}`, "monolithic");
    expect([good.status, location(good)]).toEqual([201, `up/blobs/${digest}`]);
    const bad = await r.request("POST", `up/blobs/uploads/?digest=${absent}`, "monolithic");
    expect([bad.status, await errorCodes(bad)]).toEqual([400, ["DIGEST_INVALID"]]);
    expect((await r.request("HEAD", `up/blobs/${absent}`)).status).toBe(404);
  });
});

describe("end-5, end-6, end-13: chunks", () => {
  const chunk = (from: number, text: string) => ({
    "content-range": `${from}-${from + text.length - 1}`,
    "content-length": String(text.length),
  });

  test("in order, with status in between, the last one by PUT", async () => {
    let at = location(await r.request("POST", "up/blobs/uploads/"));
    for (const [from, text] of [
      [0, "hello "],
      [6, "wor"],
    ] as const) {
      const patched = await r.request("PATCH", at, text, chunk(from, text));
      expect(patched.status).toBe(202);
      at = location(patched);
      const status = await r.request("GET", at);
      expect([status.status, status.headers.get("range")]).toEqual([204, `0-${from + text.length - 1}`]);
      expect(location(status)).toBe(at);
    }
    const digest = digestOf("hello world");
    expect((await r.request("PUT", `${at}?digest=${digest}`, "ld", chunk(9, "ld"))).status).toBe(201);
    expect(await (await r.request("GET", `up/blobs/${digest}`)).text()).toBe("hello world");
    expect((await r.request("GET", at)).status).toBe(404);
  });

  test("out of order: 416 with where it stands, and it can go on", async () => {
    const at = location(await r.request("POST", "up/blobs/uploads/"));
    await r.request("PATCH", at, "abc", chunk(0, "abc"));
    const wrong = await r.request("PATCH", at, "xyz", chunk(7, "xyz"));
    expect([wrong.status, wrong.headers.get("range"), location(wrong)]).toEqual([416, "0-2", at]);
    expect((await r.request("PATCH", at, "def", chunk(3, "def"))).status).toBe(202);
    expect((await r.request("PUT", `${at}?digest=${digestOf("abcdef")}`)).status).toBe(201);
  });

  test("a stream without Content-Range, as docker sends it; sha512", async () => {
    const at = location(await r.request("POST", "up/blobs/uploads/"));
    expect((await r.request("PATCH", at, "streamed")).status).toBe(202);
    const digest = `sha512:${new Bun.CryptoHasher("sha512").update("streamed").digest("hex")}`;
    expect((await r.request("PUT", `${at}?digest=${digest}`)).status).toBe(201);
    expect(await (await r.request("GET", `up/blobs/${digest}`)).text()).toBe("streamed");
  });

  test("a cut connection keeps what arrived, and a restart does not lose it", async () => {
    const at = location(await r.request("POST", "cut/blobs/uploads/"));
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode("first half, "));
      },
      pull(controller) {
        controller.error(new Error("connection lost"));
      },
    });
    expect((await r.request("PATCH", at, body)).status).toBe(500);
    await using again = await testRegistry({}, r.root);
    expect((await again.request("GET", at)).headers.get("range")).toBe("0-11");
    expect((await again.request("PATCH", at, "second half", chunk(12, "second half"))).status).toBe(202);
    const digest = digestOf("first half, second half");
    expect((await again.request("PUT", `${at}?digest=${digest}`)).status).toBe(201);
  });

  test.each([
    ["PATCH", "", { "content-range": "5-2" }, 400, "BLOB_UPLOAD_INVALID"],
    ["PATCH", "", { "content-range": "0-9", "content-length": "3" }, 400, "SIZE_INVALID"],
    ["PUT", "", {}, 400, "DIGEST_INVALID"],
    ["PUT", "?digest=sha256:12", {}, 400, "DIGEST_INVALID"],
    ["PUT", `?digest=${absent}`, {}, 400, "DIGEST_INVALID"],
    ["POST", "", {}, 405, "UNSUPPORTED"],
  ])("%s %s %p", async (method, query, headers, status, code) => {
    const at = location(await r.request("POST", "up/blobs/uploads/"));
    const response = await r.request(method, at + query, "abc", headers as Record<string, string>);
    expect([response.status, await errorCodes(response)]).toEqual([status, [code]]);
  });

  test("an upload is its repository's alone, and can be given up", async () => {
    const at = location(await r.request("POST", "up/blobs/uploads/"));
    expect((await r.request("GET", at.replace("up/", "other/"))).status).toBe(404);
    expect((await r.request("GET", "up/blobs/uploads/..%2f..%2fregistry.db")).status).toBe(404);
    expect((await r.request("DELETE", at)).status).toBe(204);
    expect((await r.request("PATCH", at, "x")).status).toBe(404);
  });
});

describe("end-7: manifests are pushed", () => {
  test("PUT answers with location and digest, and moves the tag", async () => {
    const first = await r.pushImage("m/put", "t", "one");
    const second = await r.pushImage("m/put", "t", "two");
    expect((await r.request("HEAD", "m/put/manifests/t")).headers.get("docker-content-digest")).toBe(second);
    expect((await r.request("HEAD", `m/put/manifests/${first}`)).status).toBe(200);
  });

  test("indexes of both dialects need their manifests", async () => {
    const digest = await r.pushImage("m/put", "", "child");
    const index = (child: string) =>
      JSON.stringify({
        schemaVersion: 2,
        manifests: [{ mediaType: mediaTypes.ociManifest, digest: child, size: 1 }],
      });
    expect((await r.request("PUT", "m/put/manifests/i", index(digest), indexType)).status).toBe(201);
    const docker = { "content-type": mediaTypes.dockerIndex };
    expect((await r.request("PUT", "m/put/manifests/i2", index(digest), docker)).status).toBe(201);
    const missing = await r.request("PUT", "m/put/manifests/i", index(absent), indexType);
    expect([missing.status, await errorCodes(missing)]).toEqual([404, ["MANIFEST_BLOB_UNKNOWN"]]);
  });

  const schema1 = JSON.stringify({ schemaVersion: 1, name: "x", tag: "y" });
  const evil = JSON.stringify({ schemaVersion: 2, config: { digest: "sha256:../../x", size: 1 }, layers: [] });
  test.each([
    ["not JSON", "v", "{", 400, "MANIFEST_INVALID"],
    ["schema 1", "v", schema1, 400, "MANIFEST_INVALID"],
    ["a path as digest", "v", evil, 400, "MANIFEST_INVALID"],
    ["null", "v", "null", 400, "MANIFEST_INVALID"],
    ["an index as a manifest", "v", '{"schemaVersion":2,"manifests":[]}', 400, "MANIFEST_INVALID"],
    ["types that differ", "v", imageManifest("x", { mediaType: mediaTypes.dockerManifest }), 400, "MANIFEST_INVALID"],
    ["too large", "v", " ".repeat((4 << 20) + 1), 413, "MANIFEST_INVALID"],
    ["blobs that are missing", "v", imageManifest("never pushed"), 404, "MANIFEST_BLOB_UNKNOWN"],
    ["another digest", absent, imageManifest("one"), 400, "DIGEST_INVALID"],
    ["a tag too long", "t".repeat(129), imageManifest("one"), 400, "TAG_INVALID"],
  ])("%s is refused", async (_, reference, body, status, code) => {
    await r.pushImage("m/put", "t", "one");
    const response = await r.request("PUT", `m/put/manifests/${reference}`, body, manifestType);
    expect([response.status, await errorCodes(response)]).toEqual([status, [code]]);
  });

  test("foreign layers need not be here", async () => {
    await r.pushBlob("m/foreign", "{}");
    const layer = {
      mediaType: mediaTypes.dockerForeignLayer,
      digest: absent,
      size: 5,
      urls: ["https://example.com/l"],
    };
    const manifest = imageManifest("x", { layers: [layer] });
    expect((await r.request("PUT", "m/foreign/manifests/f", manifest, manifestType)).status).toBe(201);
  });
});

describe("end-8a, end-8b: tags, and Docker's catalogue", () => {
  test("pages in byte order, each with a link to the next", async () => {
    for (const tag of ["b", "A", "c", "a"]) await r.pushImage("tags/x", tag, "layer");
    const list = async (query: string) => {
      const response = await r.request("GET", `tags/x/tags/list${query}`);
      return [((await response.json()) as { tags: string[] }).tags, response.headers.get("link")];
    };
    expect(await list("")).toEqual([["A", "a", "b", "c"], null]);
    expect(await list("?n=2")).toEqual([["A", "a"], '</v2/tags/x/tags/list?n=2&last=a>; rel="next"']);
    expect(await list("?n=2&last=a")).toEqual([["b", "c"], null]);
    expect(await list("?n=0")).toEqual([[], null]);
    expect(await list("?last=zz")).toEqual([[], null]);
    expect((await r.request("GET", "tags/x/tags/list?n=-1")).status).toBe(400);
    expect(await errorCodes(await r.request("GET", "tags/none/tags/list"))).toEqual(["NAME_UNKNOWN"]);
    const catalog = await r.request("GET", "_catalog?n=1&last=tags");
    expect(await catalog.json()).toEqual({ repositories: ["tags/x"] });
  });
});

describe("end-9, end-10: deletes", () => {
  test("a tag alone, a manifest with its tags, a blob when no manifest needs it", async () => {
    const digest = await r.pushImage("del/x", "a", "to delete");
    await r.pushImage("del/x", "b", "to delete");
    expect((await r.request("DELETE", "del/x/manifests/a")).status).toBe(202);
    expect((await r.request("GET", "del/x/manifests/a")).status).toBe(404);
    expect((await r.request("GET", "del/x/manifests/b")).status).toBe(200);
    const blob = `del/x/blobs/${digestOf("to delete")}`;
    expect((await r.request("DELETE", blob)).status).toBe(405);
    expect((await r.request("DELETE", `del/x/manifests/${digest}`)).status).toBe(202);
    expect((await r.request("GET", "del/x/manifests/b")).status).toBe(404);
    expect((await r.request("DELETE", `del/x/manifests/${digest}`)).status).toBe(404);
    expect((await r.request("DELETE", blob)).status).toBe(202);
    expect((await r.request("GET", blob)).status).toBe(404);
    expect((await r.request("DELETE", blob)).status).toBe(404);
  });

  test("can be turned off", async () => {
    await using fixed = await testRegistry({ "delete.enabled": false });
    await fixed.pushImage("x", "a", "layer");
    for (const path of ["x/manifests/a", `x/blobs/${digestOf("layer")}`]) {
      expect((await fixed.request("DELETE", path)).status).toBe(405);
    }
  });
});

describe("end-11: mounts", () => {
  test("from a repository, from any, or else an upload", async () => {
    const digest = await r.pushBlob("mount/from", "mounted");
    const mount = (query: string) => r.request("POST", `mount/to/blobs/uploads/?mount=${query}`);
    expect((await mount(`${digest}&from=mount/other`)).status).toBe(202);
    expect((await mount(`${absent}&from=mount/from`)).status).toBe(202);
    expect((await r.request("HEAD", `mount/to/blobs/${digest}`)).status).toBe(404);
    const done = await mount(`${digest}&from=mount/from`);
    expect([done.status, location(done)]).toEqual([201, `mount/to/blobs/${digest}`]);
    expect((await r.request("POST", `mount/any/blobs/uploads/?mount=${digest}`)).status).toBe(201);
    expect(await (await r.request("GET", `mount/any/blobs/${digest}`)).text()).toBe("mounted");
    for (const nonsense of ["sha256:no", "", `${digest}&from=A%20B`]) expect((await mount(nonsense)).status).toBe(202);
  });
});

describe("end-12a, end-12b: referrers", () => {
  test("lists by subject, filters by type, follows deletes; the subject need not exist yet", async () => {
    const list = async (query = "") => {
      const response = await r.request("GET", `ref/x/referrers/${digestOf(imageManifest("subject"))}${query}`);
      expect(response.headers.get("content-type")).toBe(mediaTypes.ociIndex);
      const { manifests } = (await response.json()) as { manifests: { digest: string; artifactType: string }[] };
      return { manifests, filters: response.headers.get("oci-filters-applied") };
    };
    expect((await list()).manifests).toEqual([]);
    const subject = { mediaType: mediaTypes.ociManifest, digest: digestOf(imageManifest("subject")), size: 1 };
    const sbom = await r.pushImage("ref/x", "", "sbom", { subject, artifactType: "app/sbom", annotations: { a: "b" } });
    const plain = await r.pushImage("ref/x", "", "plain", { subject });
    const manifest = imageManifest("sbom", { subject, artifactType: "app/sbom", annotations: { a: "b" } });
    const put = await r.request("PUT", `ref/x/manifests/${sbom}`, manifest, manifestType);
    expect(put.headers.get("oci-subject")).toBe(subject.digest);
    await r.pushImage("ref/x", "s", "subject");
    const all = await list();
    expect(all.manifests.map((entry) => entry.digest).sort()).toEqual([plain, sbom].sort());
    expect(all.filters).toBeNull();
    const filtered = await list("?artifactType=app/sbom");
    expect(filtered).toEqual({
      manifests: [
        {
          mediaType: mediaTypes.ociManifest,
          digest: sbom,
          size: manifest.length,
          artifactType: "app/sbom",
          annotations: { a: "b" },
        } as (typeof filtered.manifests)[0],
      ],
      filters: "artifactType",
    });
    expect((await list(`?artifactType=${encodeURIComponent(mediaTypes.ociConfig)}`)).manifests).toHaveLength(1);
    await r.request("DELETE", `ref/x/manifests/${sbom}`);
    expect((await list("?artifactType=app/sbom")).manifests).toEqual([]);
    expect((await r.request("GET", "ref/x/referrers/sha256:no")).status).toBe(400);
  });
});
