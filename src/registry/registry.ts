/** The registry put together: `handler` answers requests without a socket, `collect` is one garbage collection. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { KeyLocks } from "../base/key-locks.ts";
import { Logger } from "../base/log.ts";
import { type Access, anonymousAccess, HtpasswdAccess } from "./access.ts";
import type { AccessLog } from "./access-log.ts";
import type { RegistryParts } from "./call.ts";
import { type Collected, Collector } from "./collector.ts";
import type { RegistryConfig } from "./config.ts";
import { errorResponse, RegistryError, toRegistryError } from "./http-error.ts";
import { BlobIndex } from "./metadata/blob-index.ts";
import { RegistryDatabase } from "./metadata/database.ts";
import { ManifestIndex } from "./metadata/manifest-index.ts";
import { UploadIndex } from "./metadata/upload-index.ts";
import { Metrics } from "./metrics.ts";
import { dispatch, matchRoute } from "./router.ts";
import type { StorageDriver } from "./storage/driver.ts";
import { LocalDriver } from "./storage/local.ts";
import { S3Driver } from "./storage/s3.ts";
import { Uploads } from "./uploads.ts";

const apiVersion = "registry/2.0";

export interface RegistryOptions {
  readonly logger: Logger;
  /** Undefined: no access log. */
  readonly accessLog?: AccessLog | undefined;
}

export class Registry {
  readonly metrics = new Metrics();
  private readonly database: RegistryDatabase;
  private readonly parts: RegistryParts;
  private readonly collector: Collector;
  private readonly access: Access;
  private readonly options: RegistryOptions;
  private stopping = false;

  private constructor(
    database: RegistryDatabase,
    driver: StorageDriver,
    access: Access,
    config: RegistryConfig,
    options: RegistryOptions,
  ) {
    const leaseMillis = config["gc.lease"] * 1000;
    const blobs = new BlobIndex(database, leaseMillis);
    const manifests = new ManifestIndex(database, leaseMillis);
    const index = new UploadIndex(database);
    const locks = new KeyLocks();
    const maxBlobBytes = config["limits.blob"] || Number.POSITIVE_INFINITY;
    const uploads = new Uploads({ driver, blobs, index, locks, maxBlobBytes });
    this.database = database;
    this.access = access;
    this.options = options;
    this.parts = {
      ...{ driver, blobs, manifests, uploads },
      maxManifestBytes: config["limits.manifest"],
      maxPage: config["limits.page"],
      allowDelete: config["delete.enabled"],
    };
    const uploadMillis = config["uploads.lifetime"] * 1000;
    const untagged = config["gc.untagged"];
    this.collector = new Collector({
      ...{ driver, blobs, manifests, index, uploads, locks },
      ...{ leaseMillis, uploadMillis, untagged },
    });
  }

  /** Opens or makes the registry in `config.root`. The caller holds the root's lock. */
  static async open(config: RegistryConfig, options: RegistryOptions = { logger: new Logger() }): Promise<Registry> {
    mkdirSync(config.root, { recursive: true, mode: 0o700 });
    const path = config["access.htpasswd"];
    const access = path === "" ? anonymousAccess : await HtpasswdAccess.open(path, config["access.realm"]);
    const driver = await openStorage(config);
    return new Registry(new RegistryDatabase(join(config.root, "registry.db")), driver, access, config, options);
  }

  /** Answers a request; never rejects. `remote` is the client's address, for the log. */
  readonly handler = async (request: Request, remote = ""): Promise<Response> => {
    const began = performance.now();
    const url = new URL(request.url);
    const match = matchRoute(url.pathname);
    let user: string | undefined;
    let response: Response;
    try {
      const open = await this.serveOpen(url.pathname);
      if (open) return open;
      user = await this.access.check(request);
      if (url.pathname === "/metrics")
        return new Response(this.metrics.render(), { headers: { "content-type": "text/plain; version=0.0.4" } });
      if (!match) throw new RegistryError("NOT_FOUND");
      response = await dispatch(this.parts, match, request, url);
    } catch (error) {
      response = this.failed(error, request);
    }
    response.headers.set("docker-distribution-api-version", apiVersion);
    response.headers.set("x-content-type-options", "nosniff");
    const millis = performance.now() - began;
    this.metrics.request(match?.route ?? "other", request.method, response.status, millis / 1000);
    this.log(request, url, response, { remote, user, millis });
    return response;
  };

  collect(): Promise<Collected> {
    return this.collector.run().then((collected) => {
      this.metrics.collection(collected);
      return collected;
    });
  }

  /** From now on `/readyz` says no, so that load balancers turn away. */
  drain(): void {
    this.stopping = true;
  }

  close(): void {
    this.options.accessLog?.flush();
    this.database.close();
  }

  /** Health for those who cannot log in: alive at all, and able to read the database and write to the storage. */
  private async serveOpen(path: string): Promise<Response | undefined> {
    if (path === "/healthz") return new Response("ok\n");
    if (path !== "/readyz") return undefined;
    if (this.stopping) return new Response("shutting down\n", { status: 503 });
    try {
      this.database.get("SELECT count(*) FROM uploads");
      await this.parts.driver.probe();
      return new Response("ok\n");
    } catch (error) {
      this.options.logger.error("not ready", { error });
      return new Response("storage or database unavailable\n", { status: 503 });
    }
  }

  private failed(error: unknown, request: Request): Response {
    const answer = toRegistryError(error);
    const cut = request.signal.aborted;
    if (answer.status >= 500 && !cut) {
      this.options.logger.error("request failed", {
        method: request.method,
        url: request.url,
        error: answer.cause ?? answer,
      });
    }
    return errorResponse(answer);
  }

  private log(
    request: Request,
    url: URL,
    response: Response,
    more: { remote: string; user: string | undefined; millis: number },
  ): void {
    const length = response.headers.get("content-length");
    this.options.accessLog?.add({
      time: new Date().toISOString(),
      remote: more.remote,
      user: more.user,
      method: request.method,
      path: url.pathname + url.search,
      status: response.status,
      millis: Math.round(more.millis * 100) / 100,
      bytes: length === null ? undefined : Number(length),
      agent: request.headers.get("user-agent") ?? undefined,
    });
  }
}

async function openStorage(config: RegistryConfig): Promise<StorageDriver> {
  if (config["s3.bucket"] === "") return LocalDriver.open(config.root);
  return new S3Driver({
    endpoint: config["s3.endpoint"],
    region: config["s3.region"],
    bucket: config["s3.bucket"],
    accessKey: config["s3.access-key"],
    secretKey: config["s3.secret-key"],
    prefix: config["s3.prefix"],
  });
}
