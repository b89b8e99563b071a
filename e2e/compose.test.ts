/** Compose files come up: with the compose plugin of today, and with docker-compose 1.29, which speaks to the API from Python. */
import { beforeAll, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { useTarget } from "./lib/journey.ts";
import { run } from "./lib/run.ts";
import { Session } from "./lib/session.ts";
import { composePlugin, gantryCommand, repository, targetKind } from "./lib/settings.ts";

const target = useTarget();
const plugin = composePlugin && existsSync(composePlugin) ? composePlugin : undefined;
const version = (await run(["docker-compose", "version", "--short"]).catch(() => undefined))?.stdout ?? "";
const hasOld = version.startsWith("1.29");

beforeAll(() => {
  cpSync(join(repository, "e2e/compose"), join(target().root, "work"), { recursive: true });
  if (!plugin) return;
  mkdirSync(join(target().root, "cli/cli-plugins"));
  symlinkSync(plugin, join(target().root, "cli/cli-plugins/docker-compose"));
});

// What containers do at the same time has no order: `sort` gives one. Addresses of [::] are left out: Gantry publishes none yet.

test.if(plugin !== undefined)(`the compose plugin${plugin ? "" : " (COMPOSE_PLUGIN names none)"}`, async () => {
  const session = new Session(target());
  await session.play(`
    mkdir -p www; echo welcome >www/index.html; echo 'a secret' >token.txt
    printf 'COMPOSE_FILE=shop.yaml\\nCOMPOSE_ANSI=never\\nCOMPOSE_PROGRESS=plain\\nSHOP_KEY=a key\\n' >.env
    docker compose config --services | sort

    # Up, by conditions
    docker compose up -d --wait 2>&1 | sort -u
    docker compose ps -a --format '{{.Service}} {{.Name}} {{.State}} {{.Health}} {{.ExitCode}}'
    docker compose ps --format '{{.Ports}}' proxy | sed 's/, \\[::\\][^,]*//g; s/:[3-6][0-9]\\{4\\}/:RANDOM/g'
    docker compose ls
    docker compose port proxy 80 | head -1
    docker compose images --format json | grep -c busybox
    curl -s http://$HOSTIP:8088/
    docker compose up -d 2>&1 | sort -u

    # Names, over both networks
    docker compose exec -T app nslookup -type=a store | grep -A1 Name
    docker compose exec -T app nslookup -type=a database | grep -A1 Name
    docker compose exec -T app nslookup -type=a SHOP-store-1.shop_back | grep -A1 Name
    docker compose exec -T app nslookup 10.213.7.10 | grep name
    docker compose exec -T app nslookup -type=a app | grep -c 172
    docker compose exec -T app wget -q -O - http://www.shop.example/
    docker compose exec -T app sh -c 'wget -q -O - http://shop-app-1/; wget -q -O - http://shop-app-2/' | sort -u | wc -l
    docker compose exec -T proxy nslookup -type=a store
    docker compose exec -T store ping -c 1 -W 1 proxy
    docker compose exec -T proxy sh -c 'cat /etc/resolv.conf | grep -v ExtServers; cat /sys/class/net/eth0/mtu'
    docker compose exec -T store sh -c 'ip route; ulimit -n; grep -c " /scratch " /proc/mounts'
    docker compose exec -T app sh -c 'cat /run/secrets/token /run/secrets/short; echo; stat -c "%a %n" /run/secrets/*; touch /run/secrets/token'
    docker compose exec -T proxy cat /etc/site.conf
    docker network inspect shop_front -f '{{.Labels}} {{.Options}} {{len .Containers}}' | sed 's/config-hash:[0-9a-f]*/config-hash:HASH/; s/version:[0-9.]*/version:V/'
    docker volume inspect shop_data -f '{{.Labels}}' | sed 's/config-hash:[0-9a-f]*/config-hash:HASH/; s/version:[0-9.]*/version:V/'

    # Logs, copies, processes, events
    docker compose logs --no-color app | sort
    docker compose logs --no-color --no-log-prefix --tail 1 --index 2 app
    docker compose up -d shell 2>&1 | sort -u
    docker compose ps shell --format '{{.Service}} {{.State}}'
    mkdir src; docker compose watch --no-up shell >watched 2>&1 & until_true grep -q enabled watched; echo new >src/b; until_true docker compose exec -T shell cat /src/b; kill $!; docker compose exec -T shell cat /src/b
    docker compose logs -f --no-color --no-log-prefix shell >followed & until_true sh -c 'docker compose exec -T shell sh -c "echo still here >/proc/1/fd/1"; grep -q still followed'; docker compose kill shell >/dev/null 2>&1; wait; sort -u followed
    echo copied >new.txt; docker compose cp new.txt proxy:/etc/new.txt; docker compose exec -T proxy cat /etc/new.txt
    docker compose cp proxy:/etc/new.txt back.txt; cat back.txt
    docker compose top store | sed 's/  */ /g' | cut -d' ' -f9- | grep httpd
    docker compose events >events & until_true sh -c 'docker compose kill -s WINCH store; grep -q kill events'; docker compose pause store; docker compose unpause store; until_true grep -q unpause events; kill $!; grep -o 'container [a-z]*pause' events
    docker compose events --json >events & until_true sh -c 'docker compose kill -s WINCH store; grep -q kill events'; kill $!; grep -m1 kill events | sed 's/[0-9a-f]\\{64\\}/ID/g; s/"time":"[^"]*"/"time":"T"/'
    docker compose stats --no-stream --format '{{.Name}}' | sort

    # One-off containers
    docker compose run --rm -T app sh -c 'echo one; cat /data/index.html; exit 3' 2>&1 | grep -v Container
    docker compose run --rm -T --no-deps -e COLOUR=red app sh -c 'echo $COLOUR' 2>&1 | grep -v Container
    docker compose run -d --no-deps --name extra -p 8087:80 app sleep 100 2>&1 | grep -v Container
    docker compose port --index 1 proxy 80
    docker compose ps -a --orphans --format '{{.Name}}' | sort
    docker rm -f extra

    # Scale, change, recreate
    docker compose up -d --scale app=3 --wait 2>&1 | grep app-3 | sort -u
    docker compose exec -T proxy nslookup -type=a app | grep -c 172
    docker compose scale app=1 2>&1 | sort -u
    docker compose ps --format '{{.Name}}' | sort
    echo COLOUR=green >>.env
    docker compose up -d --wait 2>&1 | grep -v Waiting | sort -u
    docker compose exec -T app sh -c 'echo $COLOUR'
    docker compose exec -T proxy cat /etc/site.conf
    docker compose up -d --force-recreate --no-deps --wait proxy 2>&1 | grep -v Waiting | sort -u
    docker compose up -d --no-deps --always-recreate-deps -V --wait store 2>&1 | grep -v Waiting | sort -u
    docker compose restart -t 1 store 2>&1 | sort -u
    curl -s http://$HOSTIP:8088/

    # Down and up
    docker compose stop -t 1 2>&1 | sort -u
    docker compose ps -a --format '{{.Service}} {{.State}}' | sort -u
    docker compose start 2>&1 | sort -u
    docker compose --profile debug down -t 1 2>&1 | sort -u
    docker ps -aq; docker network ls -q -f label=com.docker.compose.project; docker volume ls -q
    docker compose up -d --wait store 2>&1 | sort -u
    docker compose exec -T store sort -u /data/index.html
    docker compose exec -T store sort -u /data/log
    docker compose up --no-color --abort-on-container-exit --exit-code-from migrate migrate 2>&1 | grep -v 'Health\\|Waiting' | sort -u
    docker compose rm -fsv 2>&1 | sort -u
    docker compose down -v 2>&1 | sort -u
    docker volume ls -q
  `);
  await session.matches("compose/plugin");
});

test.if(hasOld)(`docker-compose 1.29${hasOld ? "" : " (not installed)"}`, async () => {
  const session = new Session(target());
  await session.play(`
    mkdir -p www; echo welcome >www/index.html
    printf 'COMPOSE_FILE=shop-1.yaml\\nCOMPOSE_PROJECT_NAME=old\\n' >.env
    docker-compose config --services | sort

    # Up, by conditions
    docker-compose --ansi never up -d 2>&1 | sort
    docker-compose ps -q | wc -l
    docker-compose ps --services --filter status=running | sort
    docker-compose ps proxy | tail -1 | cut -c1-50
    docker-compose port proxy 80
    until_true curl -s http://$HOSTIP:8089/
    curl -s http://$HOSTIP:8089/
    docker-compose --ansi never up -d 2>&1 | sort
    docker-compose images -q | sort -u | wc -l

    # Names, over both networks
    docker-compose exec -T app nslookup -type=a store | grep -A1 Name
    docker-compose exec -T app nslookup -type=a database | grep -A1 Name
    docker-compose exec -T app nslookup -type=a old_store_1.old_back | grep -A1 Name
    docker-compose exec -T app nslookup -type=a $(docker-compose ps -q store | cut -c1-12) | grep -A1 Name | grep -v Name
    docker-compose exec -T app nslookup -type=a app | grep -c 172
    docker-compose exec -T app wget -q -O - http://www.shop.example/
    docker-compose exec -T proxy nslookup -type=a store
    docker inspect -f '{{range $name, $one := .NetworkSettings.Networks}}{{$name}} {{len $one.Aliases}} {{len $one.DNSNames}}{{println}}{{end}}' old_app_1
    docker-compose exec -T store sh -c 'ip route; grep -c " /scratch " /proc/mounts'

    # Logs, processes, events
    docker-compose logs --no-color migrate
    docker-compose logs --no-color app | grep -v Attaching | sort
    docker-compose --ansi never up -d shell 2>&1
    docker-compose logs -f --no-color shell >followed & until_true sh -c 'docker-compose exec -T shell sh -c "echo still here >/proc/1/fd/1"; grep -q still followed'; docker-compose --ansi never kill shell 2>&1; wait; sort -u followed
    docker-compose top store | grep -o 'httpd -f.*' | tail -1
    docker-compose events >events & until_true sh -c 'docker-compose kill -s WINCH store 2>&1; grep -q kill events'; docker-compose --ansi never pause store 2>&1; docker-compose --ansi never unpause store 2>&1; until_true grep -q unpause events; kill $!; grep -o 'container [a-z]*pause' events

    # One-off containers, scale, change
    docker-compose run --rm -T --no-deps app sh -c 'echo one; cat /data/index.html; exit 3' 2>&1 | grep -v Creating
    docker-compose --ansi never up -d --scale app=3 2>&1 | sort
    docker-compose exec -T proxy nslookup -type=a app | grep -c 172
    docker-compose --ansi never up -d --scale app=1 2>&1 | sort
    echo COLOUR=green >>.env
    docker-compose up -d --scale app=1 >/dev/null 2>&1 || echo failed
    docker-compose exec -T app sh -c 'echo $COLOUR'
    docker rm -f $(docker ps -aq -f label=com.docker.compose.service=app) | wc -l
    docker-compose --ansi never restart -t 1 store 2>&1

    # Down and up
    docker-compose --ansi never stop -t 1 2>&1 | sort
    docker-compose --ansi never start store 2>&1
    docker-compose --ansi never --profile debug down -t 1 2>&1 | sort
    docker ps -aq; docker network ls -q -f label=com.docker.compose.project; docker volume ls -q
    docker-compose --ansi never up -d store 2>&1 | sort
    docker-compose exec -T store sh -c 'sort -u /data/index.html /data/log'
    docker-compose --ansi never down -v -t 1 2>&1 | sort
    docker volume ls -q
  `);
  await session.matches("compose/old");
});

const byGantry = plugin !== undefined && targetKind === "gantry";
test.if(byGantry)("the plugin by gantry's own command line, with its .env file", async () => {
  const cwd = join(target().root, "work/own");
  await Bun.write(join(cwd, ".env"), "FILE=one.yaml\nCOMPOSE_FILE=$FILE\nCOMPOSE_PROJECT_NAME=own\nWORD=kept\n");
  await Bun.write(
    join(cwd, "one.yaml"),
    "services: { one: { image: busybox, command: sleep 1000, environment: [WORD] } }\n",
  );
  const compose = (...args: string[]) =>
    run([...gantryCommand(), "compose", ...args], { env: target().cliEnvironment, cwd });
  expect((await compose("up", "-d", "--wait")).code).toBe(0);
  expect((await compose("ps", "--format", "{{.Service}} {{.State}}")).stdout).toBe("one running\n");
  expect(await compose("exec", "-T", "one", "sh", "-c", "echo $WORD; exit 3")).toMatchObject({
    stdout: "kept\n",
    code: 3,
  });
  expect((await compose("down", "-t", "0")).code).toBe(0);
  expect(await target().must("ps", "-aq", "--filter", "label=com.docker.compose.project=own")).toBe("");
});
