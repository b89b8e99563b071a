/** The flags that stand before the command: `gantry -H tcp://… ps`. */
import { type FlagKind, flag, listKind } from "./flag-kinds.ts";

/** A list, as its help says, but of one. */
const hostKind: FlagKind<string[]> = {
  ...listKind(),
  parse: (text, previous) => {
    if (previous.length > 0) throw new Error("specify only one -H");
    return [text];
  },
};

export function globalFlags(configDirectory: string) {
  const pem = (name: string) => `${configDirectory}/${name}`;
  return {
    config: flag.stringWith(configDirectory, "Location of client config files"),
    context: flag.string(
      'Name of the context to use to connect to the daemon (overrides DOCKER_HOST env var and default context set with "docker context use")',
      { short: "c" },
    ),
    debug: flag.bool("Enable debug mode", { short: "D" }),
    host: { ...flag.list("Daemon socket to connect to", { short: "H" }), kind: hostKind },
    "log-level": flag.stringWith("info", 'Set the logging level ("debug", "info", "warn", "error", "fatal")', {
      short: "l",
    }),
    tls: flag.bool("Use TLS; implied by --tlsverify"),
    tlscacert: flag.stringWith(pem("ca.pem"), "Trust certs signed only by this CA"),
    tlscert: flag.stringWith(pem("cert.pem"), "Path to TLS certificate file"),
    tlskey: flag.stringWith(pem("key.pem"), "Path to TLS key file"),
    tlsverify: flag.bool("Use TLS and verify the remote"),
    version: flag.bool("Print version information and quit", { short: "v" }),
  };
}
