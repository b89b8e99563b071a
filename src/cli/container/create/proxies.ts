/** `proxies` of config.json: variables that every new container gets unless the command line sets them. */
import type { ConfigFile } from "../../config-file.ts";

const variables: Record<string, string> = {
  httpProxy: "HTTP_PROXY",
  httpsProxy: "HTTPS_PROXY",
  noProxy: "NO_PROXY",
  ftpProxy: "FTP_PROXY",
  allProxy: "ALL_PROXY",
};

/** Each in upper and lower case. `host` chooses the daemon's own section over `default`. */
export function proxyEnvironment(config: ConfigFile, host: string): Record<string, string> {
  const section = config.values.proxies?.[host] ?? config.values.proxies?.["default"] ?? {};
  const found: Record<string, string> = {};
  for (const [key, variable] of Object.entries(variables)) {
    const value = section[key];
    if (!value) continue;
    found[variable] = value;
    found[variable.toLowerCase()] = value;
  }
  return found;
}
