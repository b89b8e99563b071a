/** `gantry registry [serve|gc] [flags]`: serves a registry, or collects garbage in one, running or not. */
import { errorMessage, unavailable } from "../base/errors.ts";
import { Logger, type LogLevel } from "../base/log.ts";
import { AccessLog } from "./access-log.ts";
import { configKeys, environmentName, flagName, loadConfig, type RegistryConfig } from "./config/config.ts";
import type { Collected } from "./content/collector.ts";
import { Registry } from "./registry.ts";
import { lockRoot } from "./root-lock.ts";
import { adminSocket, serveRegistry } from "./server.ts";

export async function registryMain(argv: string[]): Promise<number> {
  const verb = argv[0]?.startsWith("-") === false ? argv[0] : "serve";
  const flags = argv[0] === verb ? argv.slice(1) : argv;
  if (flags.includes("--help") || flags.includes("-h") || verb === "help") {
    process.stdout.write(usage());
    return 0;
  }
  try {
    if (verb === "serve") return await serve(loadConfig(flags, process.env));
    if (verb === "gc") return await collectGarbage(loadConfig(flags, process.env));
    process.stderr.write(`gantry registry: unknown command ${verb}\n${usage()}`);
  } catch (error) {
    process.stderr.write(`gantry registry: ${errorMessage(error)}\n`);
  }
  return 1;
}

async function serve(config: RegistryConfig): Promise<number> {
  using lock = lockRoot(config.root);
  if (!lock) throw unavailable(`another registry is using ${config.root}`);
  const logger = new Logger(config["log.level"] as LogLevel);
  // A request never ends the server, whatever of it was forgotten.
  process.on("unhandledRejection", (error) => logger.error("unhandled rejection", { error }));
  const accessLog = config["log.access"] ? new AccessLog() : undefined;
  const registry = await Registry.open(config, { logger, accessLog });
  const running = serveRegistry(registry, config, logger);
  logger.info("registry is listening", { url: running.url, root: config.root });
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
  });
  logger.info("registry is shutting down");
  await running.stop();
  return 0;
}

/** Asks the server that holds the root; does it itself when none does. */
async function collectGarbage(config: RegistryConfig): Promise<number> {
  using lock = lockRoot(config.root);
  const collected = lock ? await collectAlone(config) : await askServer(config.root);
  process.stdout.write(`${JSON.stringify(collected)}\n`);
  return 0;
}

async function collectAlone(config: RegistryConfig): Promise<Collected> {
  const registry = await Registry.open(config);
  try {
    return await registry.collect();
  } finally {
    await registry.close();
  }
}

async function askServer(root: string): Promise<Collected> {
  const response = await fetch("http://registry/gc", { method: "POST", unix: adminSocket(root) });
  if (!response.ok) throw unavailable(await response.text());
  return (await response.json()) as Collected;
}

function usage(): string {
  const rows = Object.entries(configKeys).map(([name, { kind, default: initial, doc }]) => {
    const words = doc.replaceAll("`", "").replace(/\[see below\]\([^)]*\)/, "see docs/registry.md");
    const preset = String(initial) === "" ? "" : ` [${initial}]`;
    return [
      `${flagName(name)} ${kind === "flag" ? "" : kind}`,
      `${words}${preset} (${environmentName(name)})`,
    ] as const;
  });
  const all = [["--config text", "YAML or JSON file with these keys (GANTRY_REGISTRY_CONFIG)"] as const, ...rows];
  const width = Math.max(...all.map(([flag]) => flag.length));
  const lines = all.map(([flag, words]) => `  ${flag.padEnd(width)}  ${words}`);
  return `Usage: gantry registry [serve | gc] [flags]\n\n${lines.join("\n")}\n`;
}
