/** Where an Engine API is: a unix socket, or TCP with or without TLS. */

export interface TlsMaterial {
  /** PEM texts. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Whether the server's certificate is checked. */
  readonly verify: boolean;
}

export interface Endpoint {
  /** As the user wrote it and messages show it: `unix:///run/gantry.sock`. */
  readonly url: string;
  /** Path of the unix socket; else host and port are set. */
  readonly unix?: string;
  readonly host?: string;
  readonly port?: number;
  readonly tls?: TlsMaterial;
}

/** Reads `unix://PATH`, `tcp://HOST[:PORT]`, `http(s)://…`, `HOST:PORT`. Throws an Error in Docker's words for anything else. */
export function parseEndpoint(text: string, tls?: TlsMaterial): Endpoint {
  const value = text.trim();
  if (value.startsWith("unix://")) return { url: value, unix: value.slice("unix://".length) };
  const match = /^(?:(tcp|http|https):\/\/)?(\[[^\]]+\]|[^:/\s]*)(?::(\d+))?(?:\/.*)?$/.exec(value);
  if (!match) throw new Error(`invalid bind address format: ${value}`);
  const secure = tls ?? (match[1] === "https" ? { verify: true } : undefined);
  return {
    url: value.includes("://") ? value : `tcp://${value}`,
    host: (match[2] ?? "").replace(/^\[|\]$/g, "") || "localhost",
    port: Number(match[3] ?? (secure ? 2376 : 2375)),
    ...(secure ? { tls: secure } : {}),
  };
}
