/** Arguments that need no ARG, or no value. Source: Dockerfile reference, "Predefined ARGs", "Automatic platform ARGs". */
import { formatPlatform, hostPlatform, type Platform } from "../oci/platform.ts";

const proxies = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"];

/** Usable in RUN without ARG; no part of the cache key or the history. */
export const predefinedArgs: readonly string[] = proxies.flatMap((name) => [name, name.toLowerCase()]);

/** They steer BuildKit and are no part of any environment. */
export const steeringArgs: readonly string[] = ["BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE"];

/** What FROM lines see, and every stage that declares the name. */
export function automaticArgs(target: Platform, stage = "default"): Record<string, string> {
  return { ...platformArgs("BUILD", hostPlatform()), ...platformArgs("TARGET", target), TARGETSTAGE: stage };
}

function platformArgs(prefix: "BUILD" | "TARGET", platform: Platform): Record<string, string> {
  return {
    [`${prefix}PLATFORM`]: formatPlatform(platform),
    [`${prefix}OS`]: platform.os,
    [`${prefix}OSVERSION`]: "",
    [`${prefix}ARCH`]: platform.architecture,
    [`${prefix}VARIANT`]: platform.variant ?? "",
  };
}
