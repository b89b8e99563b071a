/** Authorization plugins: what they see, and what happens when they refuse, fail or are not there. */
import { expect, test } from "bun:test";
import { useTarget } from "./lib/journey.ts";
import { usePlugin } from "./lib/plugin.ts";
import { Session } from "./lib/session.ts";
import { Target } from "./lib/target.ts";

const { name, root } = usePlugin();
const target = useTarget({ flags: [`--authorization-plugin=${name}`] });

test("requests and answers are seen and refused", async () => {
  const session = new Session(target());
  await session.prepare(`ln -s ${root} plugin; rm -f plugin/calls`);
  const calls = "grep -hi authz plugin/calls | grep -v _ping; rm -f plugin/calls";
  await session.play(`
    docker info -f '{{.Plugins.Authorization}}'
    docker version -f '{{.Server.Os}}'; rm plugin/calls
    api POST /v1.41/volumes/create '{"Name":"v1","Labels":{"a":"b"}}' | sed 's#"Mountpoint":"[^"]*"##' | wc -l
    ${calls}
    api GET '/v1.41/volumes/nothere?x=%2F'
    # Of an answer that is an error, dockerd tells nothing; Gantry tells what it is.
    grep -h AuthZReq plugin/calls; rm plugin/calls
    echo 'POST .*volumes/create' >plugin/deny-request
    docker volume create v2
    rm plugin/deny-request
    docker volume ls -q
    echo 'GET .*/volumes$' >plugin/deny-response
    docker volume ls
    docker volume inspect -f '{{.Name}}' v1
    rm plugin/deny-response
    echo 'GET .*volumes/nothere' >plugin/deny-response
    docker volume inspect nothere
    rm plugin/deny-response

    # Streams and hijacked connections go through
    docker run --rm busybox sh -c 'echo out; exit 3'
    echo in | docker run --rm -i busybox cat
    docker save busybox | tar -t | grep -c json
    echo 'POST .*/attach' >plugin/deny-request
    docker run --rm busybox true
    rm plugin/deny-request
    docker ps -aq | wc -l
    docker rm -f $(docker ps -aq) | wc -l
    echo '_ping' >plugin/deny-request
    curl -s -o /dev/null -w '%{http_code}' --unix-socket $SOCKET http://docker/_ping
    rm plugin/deny-request
    docker volume rm v1
  `);
  await session.matches("system/authorization");
});

test("a daemon whose plugin is not there does not start", async () => {
  const started = Target.start({ flags: ["--authorization-plugin=e2e-nothere"], busybox: false });
  await expect(started).rejects.toThrow('failed to validate authorization plugin: plugin "e2e-nothere" not found');
});
