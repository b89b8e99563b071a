/** Legacy plugins: found when they are asked for by name, activated once, used as long as the daemon runs. */
import { errorMessage, notFound } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { findPlugin, listPlugins, type PluginDirectories, pluginDirectories } from "./discovery.ts";
import { PluginClient } from "./plugin-client.ts";

/** What a plugin can be: the names are the protocol's. */
export type PluginKind = "VolumeDriver" | "authz";

export interface Plugin {
  name: string;
  client: PluginClient;
  kinds: readonly string[];
}

export class Plugins {
  private readonly directories: PluginDirectories;
  private readonly log: Pick<Logger, "warn">;
  private readonly known = new Map<string, Promise<Plugin>>();
  private readonly active = new Map<string, Plugin>();

  constructor(log: Pick<Logger, "warn">, directories: PluginDirectories = pluginDirectories) {
    this.log = log;
    this.directories = directories;
  }

  /** Rejects `not-found` for a plugin that is not there or is of another kind. */
  async get(name: string, kind: PluginKind, { retry = true } = {}): Promise<Plugin> {
    const plugin = await this.activate(name, retry);
    if (!plugin.kinds.includes(kind)) throw notFound(`Plugin does not implement the requested driver`);
    return plugin;
  }

  /** All of a kind that answer, whether they have been used before or not. */
  async all(kind: PluginKind): Promise<Plugin[]> {
    const found = await Promise.all(
      listPlugins(this.directories).map((name) =>
        this.activate(name, false).catch((error: unknown) => {
          this.log.warn("a plugin cannot be used", { plugin: name, error: errorMessage(error) });
          return undefined;
        }),
      ),
    );
    return found.filter((plugin) => plugin?.kinds.includes(kind)) as Plugin[];
  }

  /** Names of those of a kind that have been used. */
  activeNames(kind: PluginKind): string[] {
    return [...this.active.values()].filter(({ kinds }) => kinds.includes(kind)).map(({ name }) => name);
  }

  private activate(name: string, retry: boolean): Promise<Plugin> {
    const known = this.known.get(name);
    if (known !== undefined) return known;
    const starting = this.start(name, retry);
    this.known.set(name, starting);
    // One that failed is looked for again the next time.
    starting.catch(() => this.known.delete(name));
    return starting;
  }

  private async start(name: string, retry: boolean): Promise<Plugin> {
    const address = findPlugin(name, this.directories);
    if (address === undefined) throw notFound(`plugin ${JSON.stringify(name)} not found`);
    const client = new PluginClient(address);
    const { Implements } = await client.call<{ Implements?: string[] | null }>("Plugin.Activate", {}, { retry });
    const plugin = { name, client, kinds: Implements ?? [] };
    this.active.set(name, plugin);
    return plugin;
  }
}
