/** What the indexes promise, over every database. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { BlobIndex } from "./blob-index.ts";
import { change, type Database, get } from "./database.ts";
import { EventQueue } from "./event-queue.ts";
import { ImmutableTagError, ManifestIndex, type NewManifest } from "./manifest-index.ts";
import { TagIndex } from "./tag-index.ts";
import { UploadIndex } from "./upload-index.ts";
import { UsageIndex } from "./usage-index.ts";

const leaseMillis = 60_000;
const later = () => Date.now() + 10 * leaseMillis;
const digest = () => `sha256:${crypto.getRandomValues(new Uint8Array(32)).toHex()}`;
const manifestOf = (more: Partial<NewManifest> = {}): NewManifest => ({
  ...{
    digest: digest(),
    mediaType: "t",
    content: new Uint8Array([123, 125]),
    artifactType: "",
    blobs: [],
    manifests: [],
  },
  ...more,
});
const tagged = (...tags: string[]) => ({ tags, isImmutable: () => false });

export function metadataSuite(name: string, open: () => Promise<Database>): void {
  describe(`metadata: ${name}`, () => {
    let database: Database;
    let blobs: BlobIndex;
    let manifests: ManifestIndex;
    let tags: TagIndex;
    beforeAll(async () => {
      database = await open();
      blobs = new BlobIndex(database, leaseMillis);
      manifests = new ManifestIndex(database, leaseMillis);
      tags = new TagIndex(database);
    }, 30_000);
    afterAll(() => database.close());

    const collectAll = async (now: number) => {
      let removed = 0;
      let cursor: { repository: string; digest: string } | undefined = { repository: "", digest: "" };
      while (cursor) {
        const window: Awaited<ReturnType<BlobIndex["collectLinks"]>> = await blobs.collectLinks(now, cursor);
        removed += window.removed;
        cursor = window.next;
      }
      return removed;
    };

    test("a transaction that throws leaves nothing", async () => {
      const work = function* () {
        yield* change("INSERT INTO blobs VALUES (?, ?)", "sha256:torn", 1);
        throw new Error("on purpose");
      };
      expect(async () => database.transaction(work)).toThrow("on purpose");
      expect(await database.run(get("SELECT 1 FROM blobs WHERE digest = ?", "sha256:torn"))).toBeUndefined();
    });

    test("locks of one key run one after another, of two keys side by side", async () => {
      let inside = 0;
      let most = 0;
      const work = async () => {
        most = Math.max(most, ++inside);
        await Bun.sleep(5);
        inside--;
      };
      await Promise.all(Array.from({ length: 5 }, () => database.lock("one", work)));
      expect(most).toBe(1);
      const [one, two] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const meet = (mine: typeof one, other: typeof two) => async () => {
        mine.resolve();
        await other.promise;
      };
      await Promise.all([database.lock("one", meet(one, two)), database.lock("two", meet(two, one))]);
    });

    test("a blob belongs to a repository; its size is what it was", async () => {
      const [blob, large] = [digest(), 5_000_000_000];
      await blobs.add("b/x", blob, large);
      expect(await blobs.find("b/x", blob)).toBe(large);
      expect(await blobs.find("b/y", blob)).toBeUndefined();
      expect(await blobs.findAnywhere(blob)).toBe(large);
      expect(await blobs.mount("b/y", blob, "b/z")).toBe(false);
      expect(await blobs.mount("b/y", blob, "b/x")).toBe(true);
      expect((await blobs.holders(blob, 5)).sort()).toEqual(["b/x", "b/y"]);
      expect(await blobs.unlink("b/x", blob)).toBe(true);
      expect(await blobs.unlink("b/x", blob)).toBe(false);
      expect(await blobs.forget(blob)).toBeUndefined();
      await blobs.unlink("b/y", blob);
      expect((await blobs.unlinked("")).digests).toContain(blob);
      expect(await blobs.forget(blob)).toBe(large);
    });

    test("a link goes when its lease is over and nothing refers to it", async () => {
      const [needed, loose] = [digest(), digest()];
      for (const blob of [needed, loose]) await blobs.add("l/x", blob, 1);
      const manifest = manifestOf({ blobs: [needed] });
      expect(await manifests.put("l/x", manifest, tagged("t"))).toEqual([]);
      expect(await collectAll(Date.now())).toBe(0);
      expect(await blobs.promise("l/x", loose)).toBe(1);
      await collectAll(later());
      expect(await blobs.find("l/x", needed)).toBe(1);
      expect(await blobs.promise("l/x", loose)).toBeUndefined();
      expect(await blobs.isReferenced("l/x", needed)).toBe(true);
      expect(await manifests.delete("l/x", manifest.digest)).toBe(true);
      expect(await manifests.delete("l/x", manifest.digest)).toBe(false);
      expect(await tags.find("l/x", "t")).toBeUndefined();
      await collectAll(later());
      expect(await blobs.find("l/x", needed)).toBeUndefined();
    });

    test("a manifest with something missing is not stored, and says what", async () => {
      const [blob, absent, child] = [digest(), digest(), digest()];
      await blobs.add("m/x", blob, 1);
      const manifest = manifestOf({ blobs: [blob, absent], manifests: [child] });
      expect(await manifests.put("m/x", manifest, tagged("t"))).toEqual([absent, child]);
      expect(await manifests.findByTag("m/x", "t")).toBeUndefined();
      expect(await manifests.put("m/x", manifest, { ...tagged("t"), sparse: true })).toEqual([]);
      const found = await manifests.findByTag("m/x", "t");
      expect([found?.digest, [...(found?.content ?? [])]]).toEqual([manifest.digest, [123, 125]]);
    });

    test("many references at once", async () => {
      const children = Array.from({ length: 1203 }, digest);
      expect(await manifests.put("many", manifestOf({ manifests: children }), tagged())).toEqual(children);
    });

    test("an immutable tag stays, and nothing of the refused manifest", async () => {
      const [first, second] = [manifestOf(), manifestOf()];
      const fixed = { tags: ["free", "v1"], isImmutable: (tag: string) => tag === "v1" };
      await manifests.put("i/x", first, fixed);
      await manifests.put("i/x", first, fixed);
      expect(async () => manifests.put("i/x", second, fixed)).toThrow(ImmutableTagError);
      expect((await tags.find("i/x", "free"))?.digest).toBe(first.digest);
      expect(await manifests.has("i/x", second.digest)).toBe(false);
      expect(await manifests.tagsOf("i/x", first.digest)).toEqual(["free", "v1"]);
    });

    test("tags and repositories come in the order of their bytes, in pages", async () => {
      for (const tag of ["b", "A", "a-", "a"]) await manifests.put("t/x", manifestOf(), tagged(tag));
      expect(await tags.list("t/x", { limit: 3, after: "" })).toEqual(["A", "a", "a-"]);
      expect(await tags.list("t/x", { limit: 3, after: "a-" })).toEqual(["b"]);
      await manifests.put("t/x/y", manifestOf(), tagged("v"));
      await manifests.put("t/x-y", manifestOf(), tagged("v"));
      expect(await tags.repositories({ limit: 3, after: "t" })).toEqual(["t/x", "t/x-y", "t/x/y"]);
      expect(await tags.isKnown("t/x")).toBe(true);
      expect(await tags.isKnown("t/none")).toBe(false);
      const [newest] = await tags.newest("t/x");
      expect(await tags.delete("t/x", newest?.name ?? "", (newest?.updated ?? 0) - 1)).toBe(false);
      expect(await tags.delete("t/x", newest?.name ?? "")).toBe(true);
    });

    test("what is loose goes, child after parent; what is meant only", async () => {
      const child = manifestOf();
      await manifests.put("u/x", child, tagged());
      const index = manifestOf({ manifests: [child.digest] });
      await manifests.put("u/x", index, tagged("t"));
      const referrer = manifestOf({ subject: index.digest, artifactType: "a/b", annotations: { k: "v" } });
      await manifests.put("u/x", referrer, tagged());
      const collect = () => manifests.collectUntagged(later(), (repository) => repository === "u/x");
      expect(await collect()).toBe(0);
      expect(await manifests.referrers("u/x", index.digest, "a/b", { limit: 5, after: "" })).toEqual([
        { mediaType: "t", digest: referrer.digest, size: 2, artifactType: "a/b", annotations: { k: "v" } },
      ]);
      await tags.delete("u/x", "t");
      expect(await manifests.collectUntagged(later(), () => false)).toBe(0);
      expect(await collect()).toBe(3);
    });

    test("bytes of a namespace, each blob once", async () => {
      const usage = new UsageIndex(database);
      const [shared, own, outside] = [digest(), digest(), digest()];
      for (const repository of ["ns", "ns/a", "ns/b"]) await blobs.add(repository, shared, 100);
      await blobs.add("ns/a", own, 10);
      for (const repository of ["nsx", "ns-a", "ns0"]) await blobs.add(repository, outside, 1000);
      expect(await usage.of("ns", own)).toEqual({ used: 110, holds: true });
      expect(await usage.of("ns", outside)).toEqual({ used: 110, holds: false });
      expect(await usage.of("nothing", own)).toEqual({ used: 0, holds: false });
      expect((await usage.of("", own)).used).toBeGreaterThanOrEqual(1110);
    });

    test("uploads: one writer at a time", async () => {
      const [one, two] = [new UploadIndex(database), new UploadIndex(database)];
      await one.add("upload", "x");
      expect(await one.has("upload", "x")).toBe(true);
      expect(await one.claim("upload", "y")).toBeUndefined();
      expect(await one.claim("upload", "x")).toBe("same");
      expect(await two.claim("upload", "x")).toBe("held");
      expect(await two.stale(later())).toEqual([]);
      await one.release("upload");
      // A renewal that was on its way.
      await one.touch("upload");
      expect(await two.stale(later())).toEqual(["upload"]);
      expect(await two.claim("upload", "x")).toBe("other");
      await two.remove("upload");
      expect(await one.isKnown("upload")).toBe(false);
    });

    test("events wait in their order, and one claims each", async () => {
      const [one, two] = [new EventQueue(database), new EventQueue(database)];
      for (const body of ["1", "2"]) await one.add("e", body);
      await one.add("gone", "3");
      await one.keepOnly(["e"]);
      expect(await two.oldest("gone", 5)).toEqual([]);
      const events = await two.oldest("e", 5);
      expect(events.map(({ body }) => body)).toEqual(["1", "2"]);
      const first = events[0] as (typeof events)[0];
      expect([await one.claim(first, 1), await two.claim(first, 2)]).toEqual([true, false]);
      await one.putOff(first.id, 7);
      expect(await one.oldest("e", 1)).toMatchObject([{ due: 7, attempts: 1 }]);
      await one.remove(first.id);
      expect(await one.oldest("e", 5)).toHaveLength(1);
    });
  });
}
