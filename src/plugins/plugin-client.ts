/** Calls of a plugin: JSON by POST, an error in `Err` or with a status. A plugin that is just starting again is waited for. */
import { errorMessage, internal } from "../base/errors.ts";
import type { PluginAddress } from "./discovery.ts";

const accept = "application/vnd.docker.plugins.v1.2+json";
/** Pauses before a connection is tried again, in ms. */
const retries = [250, 500, 1000, 2000, 4000];

export interface CallOptions {
  /** Milliseconds. */
  timeout?: number;
  /** False: a plugin that does not answer is not waited for. */
  retry?: boolean;
}

export class PluginClient {
  private readonly address: PluginAddress;

  constructor(address: PluginAddress) {
    this.address = address;
  }

  /** Rejects `internal` with the plugin's own words, in which Docker passes them on. */
  async call<T extends object>(method: string, body: object, { timeout = 60_000, retry = true }: CallOptions = {}) {
    const response = await this.connected(method, body, timeout, retry ? retries : []);
    const text = await response.text();
    if (!response.ok) throw internal(`${method}: ${errorIn(text) ?? text.trim()}`);
    const answer = parse(text, method) as T & { Err?: string };
    if (answer.Err) throw internal(answer.Err);
    return answer;
  }

  private async connected(method: string, body: object, timeout: number, pauses: number[]): Promise<Response> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.post(method, body, timeout);
      } catch (error) {
        const pause = pauses[attempt];
        const refused =
          error instanceof Error && /refused|ENOENT|FailedToOpenSocket|Unable to connect/.test(`${error}`);
        if (pause === undefined || !refused) {
          throw internal(`Post ${JSON.stringify(this.url(method))}: ${errorMessage(error)}`, { cause: error });
        }
        await Bun.sleep(pause);
      }
    }
  }

  private post(method: string, body: object, timeout: number): Promise<Response> {
    const { unix, tls } = this.address;
    return fetch(this.url(method), {
      method: "POST",
      headers: { Accept: accept, "Content-Type": accept },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(timeout),
      ...(unix === undefined ? {} : { unix }),
      ...(tls === undefined ? {} : { tls: { ...tls, rejectUnauthorized: tls.verify } }),
    });
  }

  private url(method: string): string {
    const { unix, host, tls } = this.address;
    return `${tls ? "https" : "http"}://${unix === undefined ? host : "plugin"}/${method}`;
  }
}

function errorIn(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { Err?: string }).Err || undefined;
  } catch {
    return undefined;
  }
}

function parse(text: string, method: string): object {
  if (text.trim() === "") return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // Said below.
  }
  throw internal(`${method}: the plugin's answer is no JSON object`);
}
