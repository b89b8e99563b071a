/**
 * The registry's public socket. With TLS it follows its certificate: when the files change, a new listener takes the port over, and the
 * old one ends when it has answered what it was asked.
 */
import { statSync } from "node:fs";
import type { Logger } from "../base/log.ts";
import { errorResponse, RegistryError } from "./api/http-error.ts";
import { parseListen } from "./config/config.ts";
import type { RegistryConfig } from "./config/keys.ts";
import type { Registry } from "./registry.ts";

/** How soon a new certificate counts. */
const checkMillis = 10_000;

export class PublicServer {
  private readonly registry: Registry;
  private readonly config: RegistryConfig;
  private readonly logger: Logger;
  private readonly secure: boolean;
  private readonly timer: Timer | undefined;
  private server: Bun.Server<undefined>;
  /** Those before it that still answer. */
  private readonly former: Bun.Server<undefined>[] = [];
  private version: string;

  constructor(registry: Registry, config: RegistryConfig, logger: Logger, every = checkMillis) {
    this.registry = registry;
    this.config = config;
    this.logger = logger;
    this.secure = config["tls.certificate"] !== "";
    this.version = this.certificateVersion();
    this.server = this.listen(parseListen(config.listen).port);
    this.timer = this.secure ? setInterval(() => this.renew(), every) : undefined;
  }

  /** `http://host:port`, with the port that was given when 0 was asked for. */
  get url(): string {
    const { hostname = "localhost" } = parseListen(this.config.listen);
    return `${this.secure ? "https" : "http"}://${hostname}:${this.server.port}`;
  }

  /** Takes no more requests, lets those under way end for so long, then cuts them off. */
  async stop(millis: number): Promise<void> {
    clearInterval(this.timer);
    const servers = [this.server, ...this.former];
    await Promise.race([Promise.all(servers.map((server) => server.stop())), Bun.sleep(millis)]);
    await Promise.all(servers.map((server) => server.stop(true)));
  }

  private listen(port: number): Bun.Server<undefined> {
    const { hostname } = parseListen(this.config.listen);
    const { "tls.certificate": cert, "tls.key": key } = this.config;
    return Bun.serve({
      ...{ port, ...(hostname === undefined ? {} : { hostname }) },
      ...(this.secure && { tls: { cert: Bun.file(cert), key: Bun.file(key) }, reusePort: true }),
      idleTimeout: this.config["timeouts.idle"],
      // Bodies stream to the storage; `limits.blob` and `limits.manifest` bound them there.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      fetch: (request, self) => this.registry.handler(request, self.requestIP(request)?.address),
      error: (error) => {
        this.logger.error("request failed", { error });
        return errorResponse(new RegistryError("UNKNOWN"));
      },
    });
  }

  /** Another whenever the files are others. */
  private certificateVersion(): string {
    if (!this.secure) return "";
    const files = [this.config["tls.certificate"], this.config["tls.key"]].map((path) => statSync(path));
    return files.map(({ mtimeMs, size, ino }) => `${mtimeMs} ${size} ${ino}`).join(" ");
  }

  /** A pair that does not fit, as in the middle of a change, leaves all as it is; it is looked at again. */
  private renew(): void {
    try {
      const version = this.certificateVersion();
      if (version === this.version) return;
      const old = this.server;
      this.server = this.listen(old.port as number);
      this.version = version;
      this.former.push(old);
      void old.stop().finally(() => this.former.splice(this.former.indexOf(old), 1));
      this.logger.info("registry has a new certificate");
    } catch (error) {
      this.logger.warn("the certificate cannot be renewed", { error });
    }
  }
}
