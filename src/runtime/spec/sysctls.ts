/** Kernel parameters of a container: Docker's defaults and --sysctl. */
import { existsSync } from "node:fs";
import { internal } from "../../base/errors.ts";
import type { SpecInput } from "./input.ts";

const ipcNames = new Set([
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
]);

type Input = Pick<SpecInput, "hostConfig" | "namespaces" | "domainname">;

/** Throws what an OCI runtime would say of parameters that belong to no namespace of the container. */
export function buildSysctls({ hostConfig, namespaces, domainname }: Input): Record<string, string> {
  const given = hostConfig.Sysctls ?? {};
  for (const name of Object.keys(given)) checkNamespaced(name, namespaces);
  const mode = hostConfig.NetworkMode ?? "";
  const ownNetwork = namespaces.net !== "host" && !mode.startsWith("container:") && mode !== "host";
  return {
    // Both let processes without capabilities do what is harmless in a network of its own.
    ...(ownNetwork ? present({ "net.ipv4.ping_group_range": "0 2147483647" }) : {}),
    ...(ownNetwork ? present({ "net.ipv4.ip_unprivileged_port_start": "0" }) : {}),
    ...(domainname !== "" && namespaces.uts !== "host" ? { "kernel.domainname": domainname } : {}),
    ...given,
  };
}

function checkNamespaced(name: string, namespaces: SpecInput["namespaces"]): void {
  const fail = (reason: string) =>
    internal(
      `failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: sysctl "${name}" ${reason}`,
    );
  const dotted = name.replaceAll("/", ".");
  if (ipcNames.has(dotted) || dotted.startsWith("fs.mqueue.")) {
    if (namespaces.ipc === "host") throw fail("is not allowed in the hosts ipc namespace");
  } else if (dotted.startsWith("net.")) {
    if (namespaces.net === "host") throw fail("not allowed in host network namespace");
  } else if (dotted === "kernel.domainname") {
    if (namespaces.uts === "host") throw fail("is not allowed in the hosts UTS namespace");
  } else {
    // The hostname has its own setting, all else is the whole machine's.
    throw fail(
      dotted === "kernel.hostname"
        ? "is not allowed as it conflicts with the OCI hostname setting"
        : "is not in a separate kernel namespace",
    );
  }
}

function present(sysctls: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(sysctls).filter(([name]) => existsSync(`/proc/sys/${name.replaceAll(".", "/")}`)),
  );
}
