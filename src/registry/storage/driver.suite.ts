/** What every storage driver promises; run it from the driver's own test. */
import { describe, expect, test } from "bun:test";
import { collect } from "../../base/streams.ts";
import { blobKey, digestOfKey, type StorageDriver } from "./driver.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const id = () => crypto.getRandomValues(new Uint8Array(16)).toHex();
const newKey = () => blobKey(`sha256:${crypto.getRandomValues(new Uint8Array(32)).toHex()}`);

/** `open` returns the same storage each time it is called within a test run. */
export function storageDriverSuite(name: string, open: () => Promise<StorageDriver>): void {
  async function store(driver: StorageDriver, key: string, text: string): Promise<void> {
    const upload = id();
    const writer = await driver.upload(upload, true);
    await writer?.write(bytes(text));
    await writer?.close();
    await driver.commit(upload, key);
  }

  describe(`storage driver: ${name}`, () => {
    test("a commit makes an upload a blob and ends the upload", async () => {
      const driver = await open();
      const key = newKey();
      const upload = id();
      const writer = await driver.upload(upload, true);
      await writer?.write(bytes("hello "));
      await writer?.write(bytes("world"));
      expect(writer?.size).toBe(11);
      await writer?.close();
      expect(await driver.stat(key)).toBeUndefined();
      await driver.commit(upload, key);
      expect(await driver.stat(key)).toBe(11);
      expect(await new Response(await driver.body(key, 0, 11)).text()).toBe("hello world");
      expect(await new Response(await driver.body(key, 4, 7)).text()).toBe("o w");
      expect(await driver.upload(upload, false)).toBeUndefined();
    });

    test("an upload goes on where it ended, by another driver too", async () => {
      const key = newKey();
      const upload = id();
      const first = await (await open()).upload(upload, true);
      await first?.write(bytes("abc"));
      await first?.close();
      await first?.close();
      const driver = await open();
      const second = await driver.upload(upload, false);
      expect(second?.size).toBe(3);
      await second?.write(bytes("def"));
      await second?.close();
      expect(new TextDecoder().decode(await collect(driver.readUpload(upload)))).toBe("abcdef");
      await driver.commit(upload, key);
      expect(await new Response(await driver.body(key, 0, 6)).text()).toBe("abcdef");
    });

    test("empty blobs, large blobs, and replacing a blob", async () => {
      const driver = await open();
      const empty = newKey();
      await store(driver, empty, "");
      expect(await driver.stat(empty)).toBe(0);
      const large = newKey();
      const content = "0123456789abcdef".repeat(400_000);
      await store(driver, large, content);
      expect(await new Response(await driver.body(large, 0, content.length)).text()).toBe(content);
      await store(driver, large, "small");
      expect(await driver.stat(large)).toBe(5);
    });

    test("lists blobs and uploads with sizes", async () => {
      const driver = await open();
      const key = newKey();
      await store(driver, key, "listed");
      const upload = id();
      await (await driver.upload(upload, true))?.close();
      const blobs = await Array.fromAsync(driver.list());
      expect(blobs.find((blob) => blob.key === key)?.size).toBe(6);
      expect(Math.abs((blobs.find((blob) => blob.key === key)?.modified ?? 0) - Date.now())).toBeLessThan(60_000);
      const uploads = await Array.fromAsync(driver.listUploads());
      expect(uploads.map((entry) => entry.key)).toContain(upload);
      expect(blobs.every((blob) => digestOfKey(blob.key) !== undefined)).toBe(true);
      await driver.abort(upload);
      expect((await Array.fromAsync(driver.listUploads())).map((entry) => entry.key)).not.toContain(upload);
    });

    test("remove and abort do nothing to what is gone; probe passes", async () => {
      const driver = await open();
      const key = newKey();
      await store(driver, key, "x");
      await driver.remove(key);
      await driver.remove(key);
      expect(await driver.stat(key)).toBeUndefined();
      await driver.abort(id());
      await driver.probe();
    });
  });
}
