/** Where a container's files are. Everything derives from the daemon's two roots, so that two daemons never meet. */
import { join } from "node:path";

export class ContainerPaths {
  readonly dataRoot: string;
  readonly execRoot: string;

  constructor(roots: { dataRoot: string; execRoot: string }) {
    this.dataRoot = roots.dataRoot;
    this.execRoot = roots.execRoot;
  }

  /** Kept while the container exists: logs, hosts, hostname, resolv.conf. */
  data(id: string): string {
    return join(this.dataRoot, "containers", id);
  }

  log(id: string): string {
    return join(this.data(id), `${id}-json.log`);
  }

  hostname(id: string): string {
    return join(this.data(id), "hostname");
  }

  hosts(id: string): string {
    return join(this.data(id), "hosts");
  }

  resolvConf(id: string): string {
    return join(this.data(id), "resolv.conf");
  }

  /** The three by where the container finds them. */
  networkFiles(id: string): { destination: string; source: string }[] {
    return [
      { destination: "/etc/resolv.conf", source: this.resolvConf(id) },
      { destination: "/etc/hostname", source: this.hostname(id) },
      { destination: "/etc/hosts", source: this.hosts(id) },
    ];
  }

  /** Kept while a task runs: bundle, shim sockets. Short, because socket paths end at 107 bytes. */
  task(id: string): string {
    return join(this.execRoot, "tasks", id.slice(0, 24));
  }

  shm(id: string): string {
    return join(this.task(id), "shm");
  }

  /** An exec's own shim directory, inside its container's task directory. */
  exec(id: string, execId: string): string {
    return join(this.task(id), execId.slice(0, 12));
  }

  /** The OCI runtime's state (`--root`). */
  runtimeState(): string {
    return join(this.execRoot, "runtime");
  }
}
