/** A container's environment as dockerd makes it. */

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface EnvSource {
  /** `Config.Env`, then an exec's own. */
  env: readonly (readonly string[] | null | undefined)[];
  hostname: string;
  tty: boolean;
  /** The user's home directory; loses against a HOME that is set, and not to nothing. */
  home: string;
  /** Variables of `--link`. */
  linkEnv?: readonly string[];
}

/** PATH, HOSTNAME, TERM (with a terminal), links; then the given ones, each replacing its name's value. A bare `NAME` removes it. */
export function containerEnv({ env, hostname, tty, home, linkEnv = [] }: EnvSource): string[] {
  const values = new Map<string, string>();
  const add = (entry: string) => {
    const at = entry.indexOf("=");
    if (at < 0) values.delete(entry);
    else values.set(entry.slice(0, at), entry);
  };
  add(`PATH=${defaultPath}`);
  add(`HOSTNAME=${hostname}`);
  if (tty) add("TERM=xterm");
  for (const entry of linkEnv) add(entry);
  for (const list of env) for (const entry of list ?? []) add(entry);
  // Which runtime would set it differs; a container must find it anyway.
  if ((values.get("HOME") ?? "HOME=") === "HOME=") values.set("HOME", `HOME=${home}`);
  return [...values.values()];
}
