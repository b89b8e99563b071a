/** Compose files come up: with the compose plugin of today, and with docker-compose 1.29, which speaks to the API in Python. */
import { beforeAll, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { useTarget } from "./lib/journey.ts";
import { run } from "./lib/run.ts";
import { Session } from "./lib/session.ts";
import { composePlugin, repository } from "./lib/settings.ts";

const target = useTarget();
const plugin = composePlugin && existsSync(composePlugin) ? composePlugin : undefined;
const old = (await run(["docker-compose", "version", "--short"]).catch(() => undefined))?.stdout.trim() ?? "";
const isOld = old.startsWith("1.");

beforeAll(() => {
  cpSync(join(repository, "e2e/compose"), join(target().root, "work"), { recursive: true });
  if (!plugin) return;
  mkdirSync(join(target().root, "cli/cli-plugins"));
  symlinkSync(plugin, join(target().root, "cli/cli-plugins/docker-compose"));
});

test.if(plugin !== undefined)(`compose as a plugin (COMPOSE_PLUGIN${plugin ? "" : " is not set"})`, async () => {
  const session = new Session(target());
  await session.play(`
    mkdir -p www; echo welcome >www/index.html; echo 'a secret' >token.txt
    export COMPOSE_FILE=shop.yaml COMPOSE_PROGRESS=plain COMPOSE_ANSI=never SHOP_KEY='a key'
    docker compose version --short | cut -d. -f1
    docker compose up -d --wait 2>&1 | sort -u
  `);
  await session.matches("compose/plugin");
});

test.if(isOld)(`docker-compose 1.29${isOld ? "" : " is not installed"}`, async () => {
  const session = new Session(target());
  await session.play(`
    mkdir -p www; echo welcome >www/index.html
    export COMPOSE_FILE=shop-1.yaml COMPOSE_PROJECT_NAME=old
  `);
  await session.matches("compose/old");
});
