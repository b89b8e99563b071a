/**
 * What the conformance tests of the distribution specification ask, workflow by workflow, of every kind of registry that we are.
 * https://github.com/opencontainers/distribution-spec/tree/main/conformance
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mediaTypes } from "../../oci/manifest.ts";
import type { TestRegistry } from "../testing.ts";
import { blobOf, Client, type Content, type DigestAlgorithm, imageOf, indexOf, random } from "./client.ts";

const algorithms: DigestAlgorithm[] = ["sha256", "sha512"];
const exampleType = "application/vnd.example.config.v1+json";
const emptyType = "application/vnd.oci.empty.v1+json";

export function conformanceSuite(name: string, open: () => Promise<TestRegistry>): void {
  describe(`conformance: ${name}`, () => {
    let r: TestRegistry;
    let client: Client;
    const repo = "conformance/one";
    const other = "conformance/two";
    beforeAll(async () => {
      r = await open();
      client = new Client(r);
    }, 30_000);
    afterAll(() => r[Symbol.asyncDispose]());

    const deleteBlob = async (repository: string, { digest }: Content) => {
      expect((await client.send("DELETE", `${repository}/blobs/${digest}`)).status).toBe(202);
      expect((await client.send("HEAD", `${repository}/blobs/${digest}`)).status).toBe(404);
    };

    test("the version check, and a repository that was never pushed to", async () => {
      expect((await client.send("GET", "")).status).toBe(200);
      expect([200, 404]).toContain((await client.send("GET", `${repo}/tags/list`)).status);
      expect((await client.send("GET", `${repo}/manifests/${blobOf("none").digest}`)).status).toBe(404);
      expect((await client.send("GET", `${repo}/manifests/none`)).status).toBe(404);
      expect((await client.send("HEAD", `${repo}/manifests/none`)).status).toBe(404);
      expect((await client.send("HEAD", `${repo}/blobs/${blobOf("none").digest}`)).status).toBe(404);
    });

    describe.each(algorithms)("blobs by %s", (algorithm) => {
      const ways: [string, (blob: Content) => Promise<Response>][] = [
        ["POST alone", (blob) => client.postBlob(repo, blob)],
        ["POST and PUT", (blob) => client.postPutBlob(repo, blob)],
        ["one chunk", (blob) => client.chunkedBlob(repo, blob, 1)],
        ["three chunks", (blob) => client.chunkedBlob(repo, blob, 3)],
        ["three chunks, the last by PUT", (blob) => client.chunkedBlob(repo, blob, 3, { lastByPut: true })],
        ["chunks out of order", (blob) => client.chunkedBlob(repo, blob, 3, { outOfOrder: true })],
        [
          "chunks out of order, the last by PUT",
          (blob) => client.chunkedBlob(repo, blob, 3, { outOfOrder: true, lastByPut: true }),
        ],
        ["a stream", (blob) => client.streamedBlob(repo, blob)],
      ];
      test.each(ways)("pushed by %s", async (_, push) => {
        const blob = blobOf(random(3067), algorithm);
        const pushed = await push(blob);
        expect(pushed.status).toBe(201);
        expect(pushed.headers.get("docker-content-digest")).toBe(blob.digest);
        await client.expectContent(pushed.headers.get("location") ?? "", blob);
        const head = await client.send("HEAD", `${repo}/blobs/${blob.digest}`);
        expect([head.status, head.headers.get("content-length")]).toEqual([200, String(blob.bytes.length)]);
        expect(await head.text()).toBe("");
        await deleteBlob(repo, blob);
      });

      test.each(ways)("with a wrong digest by %s", async (_, push) => {
        const blob = { ...blobOf(random(3067), algorithm), bytes: random(3067) };
        const refused = await push(blob);
        expect([refused.status, await client.codes(refused)]).toEqual([400, ["DIGEST_INVALID"]]);
        expect((await client.send("HEAD", `${repo}/blobs/${blob.digest}`)).status).toBe(404);
      });

      test("the algorithm may be announced", async () => {
        const blob = blobOf(random(100), algorithm);
        const begun = await client.send("POST", `${repo}/blobs/uploads/?digest-algorithm=${algorithm}`);
        expect((await client.finish(begun, blob)).status).toBe(201);
        await deleteBlob(repo, blob);
      });

      test("mounted from a repository, from any, and from one that has it not", async () => {
        const blob = blobOf(random(512), algorithm);
        const missing = await client.send("POST", `${repo}/blobs/uploads/?mount=${blob.digest}&from=${other}`);
        expect(missing.status).toBe(202);
        expect((await client.finish(missing, blob)).status).toBe(201);
        await deleteBlob(repo, blob);
        for (const from of [`&from=${other}`, ""]) {
          await client.postBlob(other, blob);
          const mounted = await client.send("POST", `${repo}/blobs/uploads/?mount=${blob.digest}${from}`);
          expect(mounted.status).toBe(201);
          await client.expectContent(mounted.headers.get("location") ?? "", blob);
          await deleteBlob(repo, blob);
          await deleteBlob(other, blob);
        }
      });

      test("an upload is given up", async () => {
        const begun = await client.send("POST", `${repo}/blobs/uploads/`);
        const location = begun.headers.get("location") ?? "";
        expect((await client.send("DELETE", location)).status).toBe(204);
        expect((await client.send("GET", location)).status).toBe(404);
      });

      test.each([
        ["bytes=500-1499", 206, 500, 1500],
        ["bytes=500-", 206, 500, 2048],
        ["bytes=-500", 206, 1548, 2048],
        ["bytes=2000-5000", 206, 2000, 2048],
        ["bytes=500-0", 416, 0, 0],
        ["bytes=5000-10000", 416, 0, 0],
      ])("Range: %s", async (range, status, start, end) => {
        const blob = blobOf(random(2048), algorithm);
        await client.postBlob(repo, blob);
        const part = await client.send("GET", `${repo}/blobs/${blob.digest}`, null, { range });
        expect(part.status).toBe(status);
        if (status === 206) {
          expect(part.headers.get("content-range")).toBe(`bytes ${start}-${end - 1}/2048`);
          expect(part.headers.get("content-length")).toBe(String(end - start));
          expect(await part.bytes()).toEqual(blob.bytes.slice(start, end));
        }
        await deleteBlob(repo, blob);
      });

      test.each(["", "{}"])("the content %p", async (text) => {
        for (const push of [client.postBlob, client.postPutBlob, client.streamedBlob]) {
          const blob = blobOf(text, algorithm);
          expect((await push.call(client, repo, blob)).status).toBe(201);
          await client.expectContent(`${repo}/blobs/${blob.digest}`, blob);
          await deleteBlob(repo, blob);
        }
      });
    });

    /** Pushes blobs, manifests by digest and tag, reads all back, and deletes all again. */
    async function roundTrip(blobs: Content[], manifests: Content[], tag?: string): Promise<void> {
      for (const blob of blobs) expect((await client.postPutBlob(repo, blob)).status).toBe(201);
      const references = manifests.map((manifest): [string, Content] => [manifest.digest, manifest]);
      const last = manifests.at(-1);
      if (tag !== undefined && last) references.push([tag, last]);
      for (const [reference, manifest] of references) {
        const put = await client.putManifest(repo, reference, manifest);
        expect([put.status, put.headers.get("docker-content-digest")]).toEqual([201, manifest.digest]);
        await client.expectContent(put.headers.get("location") ?? "", manifest);
      }
      if (tag !== undefined) expect(await client.tags(repo)).toContain(tag);
      for (const [reference, manifest] of references) {
        const head = await client.send("HEAD", `${repo}/manifests/${reference}`);
        expect(head.headers.get("content-length")).toBe(String(manifest.bytes.length));
        expect(head.headers.get("content-type")).toBe(manifest.mediaType);
        await client.expectContent(`${repo}/manifests/${reference}`, manifest);
      }
      for (const [reference] of references.toReversed()) {
        expect((await client.send("DELETE", `${repo}/manifests/${reference}`)).status).toBe(202);
        expect((await client.send("HEAD", `${repo}/manifests/${reference}`)).status).toBe(404);
      }
      for (const blob of blobs) await deleteBlob(repo, blob);
      expect((await client.send("GET", `${repo}/tags/list`)).status).toBeOneOf([200, 404]);
    }

    const layer = blobOf(random(2000));
    const annotations = Object.fromEntries(Array.from({ length: 390 }, (_, at) => [`large-${at}`, "A".repeat(10_000)]));
    const config = blobOf("{}");
    test.each<[string, Content[], object]>([
      ["an image", [layer], {}],
      ["a large manifest", [layer], { annotations }],
      ["no layers", [], {}],
      ["an artifact", [layer], { artifactType: exampleType, config: { ...config.descriptor, mediaType: emptyType } }],
      [
        "fields that nobody knows",
        [layer],
        { "org.example.custom": { a: [1] }, config: { ...config.descriptor, more: 1 } },
      ],
      ["data in a descriptor", [layer], { config: { ...config.descriptor, data: btoa("{}") } }],
      ["a subject that is missing", [layer], { subject: blobOf("missing").descriptor, artifactType: exampleType }],
    ])("%s", (_, layers, more) => roundTrip([config, ...layers], [imageOf(config, layers, more)], "tag"));

    test.each(algorithms)("an index, an empty one, and one of indexes, by %s", async (algorithm) => {
      const layers = [blobOf(random(100)), blobOf(random(100))];
      const images = layers.map((each) => imageOf(config, [each], {}, algorithm));
      const inner = indexOf(images, {}, algorithm);
      const empty = indexOf([], {}, algorithm);
      const outer = indexOf([inner, empty], { artifactType: exampleType }, algorithm);
      const tag = algorithm === "sha256" ? "index" : undefined;
      await roundTrip([config, ...layers], [...images, inner, empty, outer], tag);
    });

    test("layers that may not be distributed need not be here", async () => {
      const nowhere = { mediaType: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip" };
      const descriptor = { ...blobOf(random(10)).descriptor, ...nowhere, urls: ["https://example.com/layer"] };
      const image = imageOf(config, [], { layers: [descriptor, layer.descriptor] });
      await roundTrip([config, layer], [image], "tag");
    });

    test.each(algorithms)("tags in the query, by %s", async (algorithm) => {
      await client.postBlob(repo, config);
      const image = imageOf(config, [], {}, algorithm);
      const put = await client.putManifest(repo, `${image.digest}?tag=q1&tag=q2`, image);
      expect(put.status).toBe(201);
      expect(put.headers.get("oci-tag")?.split(", ")).toEqual(["q1", "q2"]);
      for (const tag of ["q1", "q2"]) await client.expectContent(`${repo}/manifests/${tag}`, image);
      expect((await client.putManifest(repo, `${image.digest}?tag=-no`, image)).status).toBe(400);
      expect((await client.send("DELETE", `${repo}/manifests/${image.digest}`)).status).toBe(202);
      expect(await client.tags(repo)).toEqual([]);
    });

    test("a manifest under another digest, and digests that are none", async () => {
      await client.postBlob(repo, config);
      const image = imageOf(config, []);
      const changed = { ...image, bytes: new TextEncoder().encode(`${new TextDecoder().decode(image.bytes)}  `) };
      expect((await client.putManifest(repo, image.digest, changed)).status).toBe(400);
      expect((await client.putManifest(repo, "sha256:baddigeststring", image)).status).toBe(400);
      expect((await client.send("GET", `${repo}/manifests/sha256:baddigeststring`)).status).toBeOneOf([400, 404]);
    });

    test("tags are listed in pages", async () => {
      await client.postBlob("conformance/tags", config);
      const image = imageOf(config, []);
      for (const tag of ["test2", "test0", "test3", "test1"]) await client.putManifest("conformance/tags", tag, image);
      expect(await client.tags("conformance/tags")).toEqual(["test0", "test1", "test2", "test3"]);
      const first = await client.send("GET", "conformance/tags/tags/list?n=2");
      expect(((await first.json()) as { tags: string[] }).tags).toEqual(["test0", "test1"]);
      const next = /^<([^>]+)>; rel="next"$/.exec(first.headers.get("link") ?? "")?.[1] ?? "";
      const second = await client.send("GET", next);
      expect([((await second.json()) as { tags: string[] }).tags, second.headers.get("link")]).toEqual([
        ["test2", "test3"],
        null,
      ]);
      expect(await client.tags("conformance/tags", "?last=test1")).toEqual(["test2", "test3"]);
    });

    test("referrers: images, artifacts and indexes, before and after their subject; filtered; none for what is missing", async () => {
      const repository = "conformance/referrers";
      await client.postBlob(repository, config);
      const subject = imageOf(config, [], { annotations: { is: "subject" } });
      const about = { subject: subject.descriptor };
      const annotated = (value: string) => ({ ...about, annotations: { "org.example.key": value } });
      const referrers = [
        imageOf(config, [], { ...annotated("a"), config: { ...config.descriptor, mediaType: exampleType } }),
        imageOf(config, [], { ...annotated("b"), artifactType: "application/example.b" }),
        indexOf([], { ...annotated("c"), artifactType: "application/example.c" }),
        indexOf([], annotated("d")),
      ];
      const list = async (digest: string, query = "") => {
        const response = await client.send("GET", `${repository}/referrers/${digest}${query}`);
        expect([response.status, response.headers.get("content-type")]).toEqual([200, mediaTypes.ociIndex]);
        const index = (await response.json()) as { schemaVersion: number; mediaType: string; manifests: object[] };
        expect([index.schemaVersion, index.mediaType]).toEqual([2, mediaTypes.ociIndex]);
        return { manifests: index.manifests, filters: response.headers.get("oci-filters-applied") };
      };
      expect((await list(subject.digest)).manifests).toEqual([]);
      for (const referrer of referrers.slice(0, 2)) {
        const put = await client.putManifest(repository, referrer.digest, referrer);
        expect(put.headers.get("oci-subject")).toBe(subject.digest);
      }
      expect((await client.putManifest(repository, "subject", subject)).headers.get("oci-subject")).toBeNull();
      for (const referrer of referrers.slice(2)) await client.putManifest(repository, referrer.digest, referrer);
      const types = [exampleType, "application/example.b", "application/example.c", undefined];
      const expected = referrers.map((referrer, at) => ({
        ...referrer.descriptor,
        ...(types[at] === undefined ? {} : { artifactType: types[at] as string }),
        annotations: { "org.example.key": "abcd"[at] as string },
      }));
      const all = (await list(subject.digest)).manifests;
      expect(all.toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)))).toEqual(
        expected.toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b))),
      );
      const filtered = await list(subject.digest, `?artifactType=${encodeURIComponent(exampleType)}`);
      expect(filtered).toEqual({ manifests: [expected[0] as object], filters: "artifactType" });
      expect((await list(subject.digest, "?artifactType=none")).manifests).toEqual([]);
      expect((await list(blobOf("missing").digest)).manifests).toEqual([]);
      expect((await client.send("GET", `${repository}/referrers/sha256:no`)).status).toBe(400);
      await client.send("DELETE", `${repository}/manifests/${referrers[0]?.digest}`);
      expect((await list(subject.digest)).manifests).toHaveLength(3);
    });

    test.each([
      ["POST", ""],
      ["PUT", "x/tags/list"],
      ["DELETE", "x/tags/list"],
      ["POST", "x/manifests/t"],
      ["PATCH", "x/manifests/t"],
      ["PUT", `x/blobs/${blobOf("").digest}`],
      ["POST", `x/blobs/${blobOf("").digest}`],
      ["GET", "x/blobs/uploads/"],
      ["PUT", `x/referrers/${blobOf("").digest}`],
      ["DELETE", "_catalog"],
    ])("%s %s is not there", async (method, path) => {
      const response = await client.send(method, path);
      expect([response.status, await client.codes(response)]).toEqual([405, ["UNSUPPORTED"]]);
      expect(response.headers.get("allow")).not.toBeNull();
    });
  });
}
