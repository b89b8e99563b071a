/** A real application of five services comes up, is used, changed and taken down, by both composes: nginx, Perl, redis, PostgreSQL, a job. */
import { beforeAll, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { servicesArchive } from "./lib/debian.ts";
import { useTarget } from "./lib/journey.ts";
import { must, run } from "./lib/run.ts";
import { Session } from "./lib/session.ts";
import { composePlugin, dockerCli, repository } from "./lib/settings.ts";

const target = useTarget();
const plugin = composePlugin && existsSync(composePlugin) ? composePlugin : undefined;
const version = (await run(["docker-compose", "version", "--short"]).catch(() => undefined))?.stdout ?? "";
const hasOld = version.startsWith("1.29");

beforeAll(async () => {
  const { root, cliEnvironment } = target();
  cpSync(join(repository, "e2e/compose-services"), join(root, "work"), { recursive: true });
  if (plugin) {
    mkdirSync(join(root, "cli/cli-plugins"));
    symlinkSync(plugin, join(root, "cli/cli-plugins/docker-compose"));
  }
  const archive = await servicesArchive();
  await must(["sh", "-c", `exec ${dockerCli} import - services <${archive}`], { env: cliEnvironment });
}, 300_000);

/** What stands before each: the files that the services read. */
const files = "echo 'not so secret' >password.txt; echo 'a motd' >motd.txt; rm -rf src; mkdir src";
const env = (lines: string) => `printf '${lines}' >.env`;

test.if(plugin !== undefined)(`the compose plugin${plugin ? "" : " (COMPOSE_PLUGIN names none)"}`, async () => {
  const session = new Session(target());
  await session.play(`
    ${files}; ${env("COMPOSE_FILE=services.yaml:services-2.yaml\\nCOMPOSE_PROJECT_NAME=five\\nCOMPOSE_ANSI=never\\nCOMPOSE_PROGRESS=plain\\n")}
    docker compose up -d --wait 2>&1 | sort -u
    docker compose ps -a --format '{{.Service}} {{.Name}} {{.State}} {{.Health}} {{.ExitCode}}'
    curl -s http://$HOSTIP:8090/up; curl -s http://$HOSTIP:8090/; curl -s http://$HOSTIP:8090/
    for i in $(seq 40); do curl -s http://$HOSTIP:8090/who; done | sort -u | wc -l
    docker compose exec -T proxy cat /etc/motd.txt
    docker compose exec -T app sh -c 'cat /run/secrets/database-password; getent hosts cache db database | wc -l; getent hosts www.example | wc -l'
    docker compose exec -T cache sh -c 'getent hosts proxy || echo none'
    docker compose logs --no-color --no-log-prefix migrate
    docker compose logs -f --no-color --no-log-prefix app >followed & until_true sh -c 'curl -s http://$HOSTIP:8090/seen; grep -q seen followed'; kill $!; grep -m1 seen followed
    docker compose top database | grep -c 'postgres:'
    docker compose cp motd.txt cache:/data/motd.txt; docker compose exec -T cache cat /data/motd.txt; docker compose cp cache:/data/motd.txt back.txt; cat back.txt
    docker compose events >events & until_true sh -c 'docker compose kill -s WINCH cache; grep -q kill events'; kill $!; grep -m1 -o 'container kill' events
    docker compose --profile debug up -d shell 2>&1 | sort -u
    docker compose --profile debug watch --no-up shell >watched 2>&1 & until_true grep -q enabled watched; echo new >src/b; until_true docker compose exec -T shell cat /src/b; kill $!; docker compose exec -T shell cat /src/b
    docker compose run --rm -T app perl -e 'print "one-off\\n"; exit 4' 2>&1 | grep -v Container

    # Scale, change, recreate, and the data outlives down and up
    docker compose up -d --scale app=3 --wait --no-recreate 2>&1 | grep app-3 | sort -u
    for i in $(seq 60); do curl -s http://$HOSTIP:8090/who; done | sort -u | wc -l
    echo GREETING=salve >>.env; docker compose up -d --wait 2>&1 | grep -c Recreate
    until_true sh -c "curl -s http://$HOSTIP:8090/ | grep salve"; curl -s http://$HOSTIP:8090/ | sed 's/hits=[0-9]*/hits=N/'
    docker compose exec -T cache redis-cli set kept yes
    docker compose --profile debug down -t 20 2>&1 | sed 's/app-[0-9]/app-N/' | sort -u
    docker ps -aq; docker volume ls -q
    docker compose up -d --wait 2>&1 | grep -c Healthy
    curl -s http://$HOSTIP:8090/ | sed 's/hits=[0-9]*/hits=N/'
    docker compose exec -T cache redis-cli get kept
    docker compose down -v -t 20 2>&1 | sort -u
    docker volume ls -q; docker network ls -q -f label=com.docker.compose.project
  `);
  await session.matches("compose/services");
});

test.if(hasOld)(`docker-compose 1.29${hasOld ? "" : " (not installed)"}`, async () => {
  const session = new Session(target());
  // How wide the names are padded depends on which it tells of first.
  const settled = "grep -v '[.]$' | sed 's/  */ /g' | sort";
  await session.play(`
    ${files}; ${env("COMPOSE_FILE=services.yaml\\nCOMPOSE_PROJECT_NAME=old\\n")}
    docker-compose --ansi never up -d 2>&1 | ${settled}
    until_true curl -sf http://$HOSTIP:8090/up
    docker-compose ps -a | grep -o '^old_[a-z]*_1' | sort
    curl -s http://$HOSTIP:8090/; curl -s http://$HOSTIP:8090/
    for i in $(seq 40); do curl -s http://$HOSTIP:8090/who; done | sort -u | wc -l
    docker-compose exec -T app sh -c 'cat /run/secrets/database-password; getent hosts cache db database | wc -l; getent hosts www.example | wc -l'
    docker-compose logs --no-color migrate | tail -1
    docker-compose logs -f --no-color app >followed & until_true sh -c 'curl -s http://$HOSTIP:8090/seen; grep -q seen followed'; kill $!; grep -m1 -o 'served /seen' followed
    docker-compose top database | grep -c 'postgres:'
    docker-compose events >events & until_true sh -c 'docker-compose kill -s WINCH cache 2>&1; grep -q kill events'; kill $!; grep -m1 -o 'container kill' events
    docker-compose run --rm -T --no-deps app perl -e 'print "one-off\\n"; exit 4' 2>&1 | grep -v Creating
    docker-compose --ansi never up -d --scale app=3 2>&1 | grep app | ${settled}
    docker-compose exec -T cache redis-cli set kept yes
    docker-compose --ansi never down -t 20 2>&1 | ${settled}
    docker-compose --ansi never up -d 2>&1 | grep -c done
    until_true curl -sf http://$HOSTIP:8090/up
    curl -s http://$HOSTIP:8090/ | sed 's/hits=[0-9]*/hits=N/'
    docker-compose exec -T cache redis-cli get kept
    docker-compose --ansi never down -v -t 20 2>&1 | ${settled}
    docker volume ls -q; docker network ls -q -f label=com.docker.compose.project
  `);
  await session.matches("compose/services-old");
});
