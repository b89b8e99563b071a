/** What every command gets: the daemon's client, the standard streams, the configuration, the name it runs under. */
import { ApiClient } from "../api/client.ts";
import type { Endpoint } from "../api/endpoint.ts";
import { version } from "../base/version.ts";
import type { ConfigFile } from "./config-file.ts";
import { currentContextName, type EndpointChoice, resolveEndpoint } from "./endpoint.ts";
import { Input, Output } from "./terminal/terminal.ts";

export interface CliContextOptions {
  readonly program: string;
  readonly config: ConfigFile;
  readonly choice: EndpointChoice;
  readonly env: Record<string, string | undefined>;
  readonly debug: boolean;
}

export class CliContext {
  /** `gantry`, or `docker` when linked under that name. */
  readonly program: string;
  readonly config: ConfigFile;
  readonly choice: EndpointChoice;
  readonly env: Record<string, string | undefined>;
  readonly debug: boolean;
  readonly stdin = new Input();
  readonly stdout = new Output(1);
  readonly stderr = new Output(2);
  /** The words of the command line that led to the command: `["container", "rm"]`. */
  commandPath: readonly string[] = [];
  private resolved: ApiClient | undefined;

  constructor(options: CliContextOptions) {
    this.program = options.program;
    this.config = options.config;
    this.choice = options.choice;
    this.env = options.env;
    this.debug = options.debug;
  }

  /** The product's name in messages: `Gantry` or `Docker`. */
  get product(): string {
    return this.program === "docker" ? "Docker" : "Gantry";
  }

  get contextName(): string {
    return currentContextName(this.choice, this.config, this.env);
  }

  /** Throws CliError when no endpoint can be made of the flags. */
  get endpoint(): Endpoint {
    return this.client.endpoint;
  }

  /** Made on first use: `--help` and `context ls` need no daemon. */
  get client(): ApiClient {
    this.resolved ??= new ApiClient(resolveEndpoint(this.program, this.choice, this.config, this.env), {
      product: this.product,
      userAgent: `${this.product}-Client/${cliVersion} (linux)`,
      ...(this.config.values.HttpHeaders ? { headers: this.config.values.HttpHeaders } : {}),
      ...(this.env["DOCKER_API_VERSION"] ? { version: this.env["DOCKER_API_VERSION"].replace(/^v/, "") } : {}),
    });
    return this.resolved;
  }
}

/** The version of this program; that of package.json. */
export const cliVersion: string = version;
