import { expect, test } from "bun:test";
import { packContext, unpackContext } from "./archive.ts";

const meta = {
  Name: "far",
  Metadata: { Description: "x" },
  Endpoints: { docker: { Host: "tcp://h:2376", SkipTLSVerify: false } },
};

test("an archive comes back as it was, and tar can read it", async () => {
  const tls = {
    "docker/ca.pem": "-----BEGIN CERTIFICATE-----\n",
    "docker/key.pem": "k".repeat(600),
    "kubernetes/ca.pem": "y",
  };
  const archive = packContext(meta, tls);
  expect(unpackContext(archive)).toEqual({ meta, tls });
  const listing = Bun.spawnSync(["tar", "-tf", "-"], { stdin: archive }).stdout.toString();
  expect(listing.split("\n")).toEqual([
    "meta.json",
    "tls",
    "tls/docker",
    "tls/kubernetes",
    "tls/docker/ca.pem",
    "tls/docker/key.pem",
    "tls/kubernetes/ca.pem",
    "",
  ]);
});

test("an entry outside the context is refused", () => {
  const archive = Buffer.from(packContext(meta, { "docker/ca.pem": "x" }));
  for (const path of ["../../etc/passwd", "tls/../ca.pem", "tls/docker/..", "tls/ca.pem"]) {
    archive.write(`${path}\0`, archive.indexOf("tls/docker\0") + 512);
    expect(() => unpackContext(archive)).toThrow(`unexpected context file: ${path}`);
  }
});
