/** The ordinary flows of a testcontainers program, run by Node against the daemon of DOCKER_HOST. Ends with an assertion's error, or 0. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { GenericContainer, Network, Wait } from "testcontainers";

const read = (host, port) =>
  new Promise((resolve, reject) => {
    const socket = connect(port, host);
    let said = "";
    socket
      .on("data", (chunk) => (said += chunk))
      .on("end", () => resolve(said))
      .on("error", reject);
  });

const container = await new GenericContainer("busybox")
  .withCommand(["sh", "-c", "echo ready; while true; do echo served | nc -l -p 7000; done"])
  .withExposedPorts(7000)
  .withEnvironment({ MODE: "test" })
  .withCopyContentToContainer([{ content: "copied\n", target: "/tmp/copied" }])
  .withWaitStrategy(Wait.forLogMessage("ready"))
  .start();
assert.equal(await read(container.getHost(), container.getMappedPort(7000)), "served\n");
const { output, exitCode } = await container.exec(["sh", "-c", "cat /tmp/copied; echo $MODE"]);
assert.equal(exitCode, 0);
assert.equal(output, "copied\ntest\n");
await container.restart();
await container.stop();

const network = await new Network().start();
const server = await new GenericContainer("busybox")
  .withNetwork(network)
  .withNetworkAliases("server")
  .withCommand(["sh", "-c", "echo hello > /index.html; httpd -f -p 80 -h /"])
  .withHealthCheck({
    test: ["CMD-SHELL", "wget -q -O - http://127.0.0.1/ || exit 1"],
    interval: 300,
    timeout: 2000,
    retries: 20,
  })
  .withWaitStrategy(Wait.forHealthCheck())
  .start();
const client = await new GenericContainer("busybox").withNetwork(network).withCommand(["sleep", "1000"]).start();
assert.equal((await client.exec(["wget", "-q", "-O", "-", "http://server/"])).output, "hello\n");
await client.stop();
await server.stop();
await network.stop();

const built = await GenericContainer.fromDockerfile(process.env.CONTEXT).build("localhost/tc:built", {
  deleteOnExit: false,
});
const own = await built.withWaitStrategy(Wait.forLogMessage("from the file")).start();
await own.stop();
console.log("testcontainers: done");
