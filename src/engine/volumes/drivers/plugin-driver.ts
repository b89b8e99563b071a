/** Volumes of a plugin. https://docs.docker.com/engine/extend/plugins_volume/ */
import { EngineError, isNotFound, notFound, withPrefix } from "../../../base/errors.ts";
import type { PluginClient } from "../../../plugins/plugin-client.ts";
import type { Plugins } from "../../../plugins/plugins.ts";

export interface PluginVolume {
  name: string;
  mountpoint: string;
  createdAt?: string;
  status?: object;
}

interface WireVolume {
  Name: string;
  Mountpoint?: string;
  CreatedAt?: string;
  Status?: object | null;
}

/** Mounting may mean a network, a format, a check of a file system. */
const longTimeout = 120_000;

export class PluginDriver {
  readonly name: string;
  readonly scope: "local" | "global";
  private readonly client: Pick<PluginClient, "call">;

  constructor(name: string, scope: "local" | "global", client: Pick<PluginClient, "call">) {
    this.name = name;
    this.scope = scope;
    this.client = client;
  }

  async create(name: string, options: Record<string, string> | null): Promise<void> {
    await this.client.call("VolumeDriver.Create", { Name: name, Opts: options }, { timeout: longTimeout });
  }

  async remove(name: string): Promise<void> {
    await this.client.call("VolumeDriver.Remove", { Name: name });
  }

  /** Undefined when the plugin says that it has none: in which words is its own affair. */
  async find(name: string): Promise<PluginVolume | undefined> {
    try {
      const { Volume } = await this.client.call<{ Volume?: WireVolume }>("VolumeDriver.Get", { Name: name });
      return Volume === undefined ? undefined : toVolume(Volume);
    } catch (error) {
      if (error instanceof EngineError && !/^Post /.test(error.message)) return undefined;
      throw error;
    }
  }

  async list(): Promise<PluginVolume[]> {
    const { Volumes } = await this.client.call<{ Volumes?: WireVolume[] | null }>(
      "VolumeDriver.List",
      {},
      { retry: false },
    );
    return (Volumes ?? []).map(toVolume);
  }

  /** `id` is the user's: the plugin counts them. Resolves with where the volume is on this host. */
  async mount(name: string, id: string): Promise<string> {
    const { Mountpoint } = await this.client.call<{ Mountpoint?: string }>(
      "VolumeDriver.Mount",
      { Name: name, ID: id },
      { timeout: longTimeout },
    );
    return Mountpoint ?? "";
  }

  async unmount(name: string, id: string): Promise<void> {
    await this.client.call("VolumeDriver.Unmount", { Name: name, ID: id });
  }
}

function toVolume({ Name, Mountpoint = "", CreatedAt, Status }: WireVolume): PluginVolume {
  return {
    name: Name,
    mountpoint: Mountpoint,
    ...(CreatedAt ? { createdAt: CreatedAt } : {}),
    ...(Status ? { status: Status } : {}),
  };
}

/** The volume drivers that plugins are. */
export class PluginDrivers {
  private readonly plugins: Pick<Plugins, "get" | "all" | "activeNames">;
  private readonly drivers = new Map<string, Promise<PluginDriver>>();

  constructor(plugins: Pick<Plugins, "get" | "all" | "activeNames">) {
    this.plugins = plugins;
  }

  /** Rejects in dockerd's words when there is none of this name. */
  async get(name: string): Promise<PluginDriver> {
    try {
      const { client } = await this.plugins.get(name, "VolumeDriver");
      return await this.driver(name, client);
    } catch (error) {
      const prefix = `error looking up volume plugin ${name}: `;
      if (isNotFound(error)) throw notFound(`${prefix}${(error as Error).message}`, { cause: error });
      throw error instanceof EngineError ? withPrefix(prefix, error) : error;
    }
  }

  /** Every one that answers. */
  async all(): Promise<PluginDriver[]> {
    const found = await this.plugins.all("VolumeDriver");
    return Promise.all(found.map(({ name, client }) => this.driver(name, client)));
  }

  /** Names of those that have been used. */
  names(): string[] {
    return this.plugins.activeNames("VolumeDriver");
  }

  private driver(name: string, client: PluginClient): Promise<PluginDriver> {
    const known = this.drivers.get(name);
    if (known) return known;
    const made = this.make(name, client);
    this.drivers.set(name, made);
    return made;
  }

  /** Older plugins know no capabilities. */
  private async make(name: string, client: PluginClient): Promise<PluginDriver> {
    const answer = await client
      .call<{ Capabilities?: { Scope?: string } }>("VolumeDriver.Capabilities", {}, { retry: false })
      .catch(() => undefined);
    const scope = answer?.Capabilities?.Scope === "global" ? "global" : "local";
    return new PluginDriver(name, scope, client);
  }
}
