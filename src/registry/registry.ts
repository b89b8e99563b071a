/** The registry put together: `handler` answers requests without a socket, `collect` is one garbage collection. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Logger } from "../base/log.ts";
import { type OpenAccess, openAccess } from "./access/open.ts";
import type { AccessLog } from "./access-log.ts";
import type { RegistryParts } from "./api/call.ts";
import { errorResponse, RegistryError, toRegistryError } from "./api/http-error.ts";
import { type Match, matchRoute, prepare, serve } from "./api/router.ts";
import type { RegistryConfig } from "./config/config.ts";
import { type Collected, Collector } from "./content/collector.ts";
import { Uploads } from "./content/uploads.ts";
import { BlobIndex } from "./metadata/blob-index.ts";
import { type Database, get } from "./metadata/database.ts";
import { EventQueue } from "./metadata/event-queue.ts";
import { ManifestIndex } from "./metadata/manifest-index.ts";
import { TagIndex } from "./metadata/tag-index.ts";
import { UploadIndex } from "./metadata/upload-index.ts";
import { UsageIndex } from "./metadata/usage-index.ts";
import { Metrics, type MirrorOutcome } from "./metrics.ts";
import { PullThrough } from "./mirrors/pull-through.ts";
import { Notifier } from "./notifications/notifier.ts";
import { Policies } from "./policies/policies.ts";
import { Retention } from "./policies/retention.ts";
import type { StorageDriver } from "./storage/driver.ts";
import { LocalDriver } from "./storage/local.ts";
import { S3Driver } from "./storage/s3.ts";

const apiVersion = "registry/2.0";

export interface RegistryOptions {
  readonly logger: Logger;
  /** Undefined: no access log. */
  readonly accessLog?: AccessLog | undefined;
}

export class Registry {
  readonly metrics = new Metrics();
  private readonly parts: RegistryParts;
  private readonly collector: Collector;
  private readonly access: OpenAccess;
  private readonly options: RegistryOptions;
  private stopping = false;

  private constructor(
    database: Database,
    driver: StorageDriver,
    access: OpenAccess,
    config: RegistryConfig,
    options: RegistryOptions,
  ) {
    this.access = access;
    this.options = options;
    const leaseMillis = config["gc.lease"] * 1000;
    const blobs = new BlobIndex(database, leaseMillis);
    const manifests = new ManifestIndex(database, leaseMillis);
    const tags = new TagIndex(database);
    const index = new UploadIndex(database);
    const policies = new Policies(config["tags.immutable"], config.quotas, new UsageIndex(database));
    const uploads = new Uploads({
      ...{ driver, database, blobs, index },
      maxBlobBytes: config["limits.blob"] || Number.POSITIVE_INFINITY,
      received: (bytes) => this.metrics.received(bytes),
      admit: (repository, digest, size) => policies.admit(repository, digest, size),
    });
    const { logger } = options;
    const { mirrors, notifications } = config;
    const count = (outcome: MirrorOutcome) => this.metrics.mirror(outcome);
    const pullThrough =
      mirrors.length === 0 ? undefined : new PullThrough({ mirrors, blobs, manifests, tags, uploads, logger, count });
    const queue = new EventQueue(database);
    const notifier = notifications.length === 0 ? undefined : new Notifier(notifications, queue, logger);
    this.parts = {
      ...{ driver, database, blobs, manifests, tags, uploads, policies, notifier, pullThrough },
      maxManifestBytes: config["limits.manifest"],
      maxPage: config["limits.page"],
      allowDelete: config["delete.enabled"],
    };
    const retention = new Retention(config.retention, tags, (repository, tag) => policies.isImmutable(repository, tag));
    this.collector = new Collector({
      ...{ driver, database, blobs, manifests, index, uploads, retention, pullThrough, leaseMillis },
      uploadMillis: config["uploads.lifetime"] * 1000,
      untagged: config["gc.untagged"],
    });
  }

  /** Opens or makes the registry that the configuration tells of. Where it is in `config.root`, the caller holds the root's lock. */
  static async open(config: RegistryConfig, options: RegistryOptions = { logger: new Logger() }): Promise<Registry> {
    mkdirSync(config.root, { recursive: true, mode: 0o700 });
    const driver = await openStorage(config);
    const database = await openDatabase(config);
    try {
      const access = await openAccess(config, database);
      await new EventQueue(database).keepOnly(config.notifications.map(({ name }) => name));
      return new Registry(database, driver, access, config, options);
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  /** Answers a request; never rejects. `remote` is the client's address, for the log. */
  readonly handler = async (request: Request, remote = ""): Promise<Response> => {
    const began = performance.now();
    const url = new URL(request.url);
    const match = matchRoute(url.pathname);
    const seen: { user?: string | undefined } = {};
    let response: Response;
    try {
      const beside = match ? undefined : await this.serveBeside(request, url);
      if (beside) return beside;
      response = await this.answer(request, url, match, remote, seen);
    } catch (error) {
      response = this.failed(error, request);
    }
    response.headers.set("docker-distribution-api-version", apiVersion);
    response.headers.set("x-content-type-options", "nosniff");
    const millis = performance.now() - began;
    this.metrics.request(match?.route ?? "other", request.method, response.status, millis / 1000);
    if (this.options.accessLog) this.log(request, url, response, { remote, user: seen.user, millis });
    return response;
  };

  private async answer(
    request: Request,
    url: URL,
    match: Match | undefined,
    remote: string,
    seen: { user?: string | undefined },
  ): Promise<Response> {
    const { access } = this.access;
    if (!match) {
      seen.user = (await access.check(request, url, undefined, "")).user;
      throw new RegistryError("NOT_FOUND");
    }
    const { handler, need } = prepare(match, request.method);
    const { pullThrough } = this.parts;
    let { name } = match;
    if (pullThrough && need) {
      if (need.action === "pull") name = await pullThrough.localName(name, url.searchParams.get("ns"));
      if (need.action === "push") pullThrough.refusePush(name);
    }
    const grant = await access.check(request, url, need, name);
    seen.user = grant.user;
    return serve(this.parts, { ...match, name }, handler, { request, url, grant, remote });
  }

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

  async close(): Promise<void> {
    this.options.accessLog?.flush();
    await this.parts.notifier?.close();
    await this.parts.database.close();
  }

  /**
   * What is not the registry's API: the root, which load balancers ask for, tokens, metrics, and health (alive at all, and able to read
   * the database and write to the storage).
   */
  private async serveBeside(request: Request, url: URL): Promise<Response | undefined> {
    if (url.pathname === "/") return new Response(null, { headers: { "cache-control": "no-cache" } });
    if (url.pathname === "/healthz") return new Response("ok\n");
    if (url.pathname === "/metrics") {
      await this.access.access.check(request, url, undefined, "");
      return new Response(this.metrics.render(), { headers: { "content-type": "text/plain; version=0.0.4" } });
    }
    if (url.pathname !== "/readyz") return this.access.tokens?.serve(request, url);
    if (this.stopping) return new Response("shutting down\n", { status: 503 });
    try {
      await this.parts.database.run(get("SELECT count(*) FROM uploads"));
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

async function openDatabase(config: RegistryConfig): Promise<Database> {
  if (config.database !== "") return (await import("./metadata/postgres.ts")).PostgresDatabase.open(config.database);
  return new (await import("./metadata/sqlite.ts")).SqliteDatabase(join(config.root, "registry.db"));
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
    redirect: config["s3.redirect"],
  });
}
