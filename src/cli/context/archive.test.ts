import { expect, test } from "bun:test";
import { packContext, unpackContext } from "./archive.ts";

const meta = {
  Name: "far",
  Metadata: { Description: "x" },
  Endpoints: { docker: { Host: "tcp://h:2376", SkipTLSVerify: false } },
};

test("an archive comes back as it was, and tar can read it", async () => {
  const tls = { "ca.pem": "-----BEGIN CERTIFICATE-----\n", "key.pem": "k".repeat(600) };
  const archive = packContext(meta, tls);
  expect(unpackContext(archive)).toEqual({ meta, tls });
  const listing = Bun.spawnSync(["tar", "-tf", "-"], { stdin: archive }).stdout.toString();
  expect(listing.split("\n")).toEqual([
    "meta.json",
    "tls",
    "tls/docker",
    "tls/docker/ca.pem",
    "tls/docker/key.pem",
    "",
  ]);
});

test("an entry outside the context is refused", () => {
  const archive = Buffer.from(packContext(meta, { "ca.pem": "x" }));
  archive.write("../../etc/passwd\0", archive.indexOf("tls/docker/ca.pem"));
  expect(() => unpackContext(archive)).toThrow("unexpected context file: ../../etc/passwd");
});
