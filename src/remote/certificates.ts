/**
 * Certificates per registry, as dockerd reads them: `<directory>/<host[:port]>/` with `*.crt` (authorities to trust, beside the
 * system's) and pairs of `*.cert` and `*.key` (to show to the registry).
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { errorCode, invalidArgument } from "../base/errors.ts";

export interface TlsOptions {
  rejectUnauthorized: boolean;
  ca?: string[];
  cert?: string;
  key?: string;
}

export const certificateDirectories = ["/etc/docker/certs.d", "/etc/gantry/certs.d"];

/** Read at each use, so that a new certificate needs no restart. Throws in dockerd's words for a half pair. */
export function tlsOptions(host: string, secure: boolean, directories = certificateDirectories): TlsOptions {
  const options: TlsOptions = { rejectUnauthorized: secure };
  for (const directory of directories.map((path) => join(path, host))) {
    const names = list(directory);
    for (const name of names) {
      const path = join(directory, name);
      if (name.endsWith(".crt")) options.ca = [...(options.ca ?? rootCertificates), readFileSync(path, "utf8")];
      if (name.endsWith(".cert")) {
        const key = name.replace(/\.cert$/, ".key");
        if (!names.includes(key))
          throw invalidArgument(
            `missing key ${key} for client certificate ${name}. CA certificates must use the extension .crt`,
          );
        options.cert = readFileSync(path, "utf8");
        options.key = readFileSync(join(directory, key), "utf8");
      }
      if (name.endsWith(".key") && !names.includes(name.replace(/\.key$/, ".cert"))) {
        throw invalidArgument(`missing client certificate ${name.replace(/\.key$/, ".cert")} for key ${name}`);
      }
    }
  }
  return options;
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return [];
    throw error;
  }
}
