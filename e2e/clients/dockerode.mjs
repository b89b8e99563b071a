/** The ordinary flows of a dockerode program, run by Node against the daemon of DOCKER_SOCKET. Ends with an assertion's error, or 0. */
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import Docker from "dockerode";

const docker = new Docker({ socketPath: process.env.DOCKER_SOCKET });

/** Output of a demultiplexed stream. */
function demultiplex(stream) {
  const [out, err] = [new PassThrough(), new PassThrough()];
  docker.modem.demuxStream(stream, out, err);
  stream.on("end", () => {
    out.end();
    err.end();
  });
  return Promise.all([text(out), text(err)]);
}

assert.equal((await docker.ping()).toString(), "OK");
assert.ok((await docker.info()).ServerVersion);

// run: create, attach, start, wait in one call.
const said = new PassThrough();
const saidText = text(said);
const [result, ran] = await docker.run("busybox", ["sh", "-c", "echo out; exit 3"], said, {
  name: "ode-run",
  Tty: true,
});
said.end();
assert.equal(result.StatusCode, 3);
assert.match(await saidText, /out/);
assert.equal((await ran.inspect()).State.ExitCode, 3);
await ran.remove();

// A container of one's own: attach before start, standard input, logs, stats, exec, archives, top.
const container = await docker.createContainer({
  Image: "busybox",
  name: "ode-own",
  Cmd: ["sh", "-c", "read line; echo got $line; echo bad >&2; sleep 100"],
  OpenStdin: true,
  Labels: { purpose: "test" },
  ExposedPorts: { "80/tcp": {} },
  HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "0" }] } },
});
const attached = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
const output = demultiplex(attached);
await container.start();
attached.write("words\n");
const logs = await container.logs({ follow: true, stdout: true, stderr: true });
await new Promise((resolve) => logs.once("data", resolve));
logs.destroy();
assert.ok((await container.inspect()).NetworkSettings.Ports["80/tcp"][0].HostPort > 0);
assert.equal((await docker.listContainers({ filters: { label: ["purpose=test"] } })).length, 1);
assert.ok((await container.top()).Processes.length >= 1);
assert.ok((await container.stats({ stream: false })).memory_stats.usage > 0);

const exec = await container.exec({
  Cmd: ["sh", "-c", "cat; echo e >&2; exit 4"],
  AttachStdin: true,
  AttachStdout: true,
  AttachStderr: true,
});
const running = await exec.start({ hijack: true, stdin: true });
const execOutput = demultiplex(running);
running.end("through exec");
assert.deepEqual(await execOutput, ["through exec", "e\n"]);
assert.equal((await exec.inspect()).ExitCode, 4);

const etc = await container.getArchive({ path: "/etc/group" });
assert.match(await text(etc), /root:x:0:/);
await container.stop({ t: 0 });
assert.deepEqual(await output, ["got words\n", "bad\n"]);
await assert.rejects(container.stop(), (error) => error.statusCode === 304);
await assert.rejects(
  docker.getContainer("nothere").inspect(),
  (error) => error.statusCode === 404 && /No such container: nothere/.test(error.message),
);
await container.remove({ force: true });

// Events while things happen.
const events = await docker.getEvents({ filters: { type: ["volume"] } });
const firstEvent = new Promise((resolve) =>
  events.once("data", (chunk) => resolve(JSON.parse(chunk.toString().split("\n")[0]))),
);
const volume = await docker.createVolume({ Name: "ode-volume" });
assert.equal((await firstEvent).Action, "create");
events.destroy();
await docker.getVolume(volume.name ?? volume.Name).remove();

// Networks.
const network = await docker.createNetwork({ Name: "ode-net", CheckDuplicate: true });
const member = await docker.createContainer({
  Image: "busybox",
  Cmd: ["sleep", "100"],
  HostConfig: { NetworkMode: "ode-net" },
});
await member.start();
assert.equal(Object.keys((await network.inspect()).Containers).length, 1);
await member.remove({ force: true });
await network.remove();

// Images: build from a context in memory, tag, list, history, commit, save, remove.
const pack = await docker.buildImage({ context: process.env.CONTEXT, src: ["Dockerfile", "file"] }, { t: "ode:built" });
const messages = await new Promise((resolve, reject) =>
  docker.modem.followProgress(pack, (error, lines) => (error ? reject(error) : resolve(lines))),
);
assert.ok(messages.some(({ stream }) => stream?.includes("Successfully built")));
const image = docker.getImage("ode:built");
await image.tag({ repo: "ode", tag: "second" });
assert.ok((await docker.listImages({ filters: { reference: ["ode:*"] } }))[0].RepoTags.length === 2);
assert.ok((await image.history()).length >= 2);
assert.ok((await text(await image.get())).length > 1000);
await docker.getImage("ode:second").remove();
await image.remove();
await assert.rejects(image.inspect(), (error) => error.statusCode === 404);
console.log("dockerode: done");
