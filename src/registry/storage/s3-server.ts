/** For tests: s3rver, an S3-compatible server from npm, with a bucket in a directory of its own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lines } from "../../base/streams.ts";
import type { RegistryConfig } from "../config/keys.ts";
import type { S3Settings } from "./s3.ts";

export interface S3Server extends AsyncDisposable {
  settings(prefix: string): S3Settings;
  config(prefix: string): Partial<RegistryConfig>;
}

const program = `
  const S3rver = require("s3rver");
  const server = new S3rver({ port: 0, address: "127.0.0.1", silent: true, directory: process.argv[1],
    configureBuckets: [{ name: "images" }] });
  server.run().then((address) => console.log(address.port));
`;

export async function startS3(): Promise<S3Server> {
  const directory = mkdtempSync(join(tmpdir(), "gantry-registry-s3-"));
  // Under Node; its continuation tokens need a cipher that OpenSSL 3 calls legacy.
  const server = Bun.spawn(["node", "--openssl-legacy-provider", "-e", program, directory], {
    cwd: new URL("../../..", import.meta.url).pathname,
    ...{ stdin: "ignore", stdout: "pipe", stderr: "inherit" },
  });
  let endpoint = "";
  for await (const port of lines(server.stdout)) {
    endpoint = `http://127.0.0.1:${port}`;
    break;
  }
  const keys = { accessKey: "S3RVER", secretKey: "S3RVER" };
  return {
    settings: (prefix) => ({ endpoint, region: "us-east-1", bucket: "images", prefix, redirect: false, ...keys }),
    config: (prefix) => ({
      ...{ "s3.bucket": "images", "s3.endpoint": endpoint, "s3.prefix": prefix },
      ...{ "s3.access-key": keys.accessKey, "s3.secret-key": keys.secretKey },
    }),
    [Symbol.asyncDispose]: async () => {
      server.kill();
      await server.exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
