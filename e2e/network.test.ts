/** The default bridge, published ports, other network modes, links, name resolution. */
import { expect, test } from "bun:test";
import { connect } from "node:net";
import { busyboxArchive } from "./lib/images.ts";
import { useTarget } from "./lib/journey.ts";
import { Peer } from "./lib/peer.ts";
import { must, until } from "./lib/run.ts";
import { Session } from "./lib/session.ts";
import { targetKind } from "./lib/settings.ts";

const target = useTarget();

test("addresses, files, modes", async () => {
  const session = new Session(target());
  await session.play(`
    docker network ls --format '{{.Name}} {{.Driver}} {{.Scope}}'
    docker run -d --name one busybox sleep 1000
    docker run -d --name two --link one:first busybox sleep 1000
    docker exec two ping -c 1 -W 5 first | grep -c '1 packets received'
    docker exec two ping -c 1 -W 5 $(docker inspect -f '{{.NetworkSettings.IPAddress}}' one) | grep -c '1 packets received'
    docker exec two env | grep ^FIRST_NAME
    docker exec two cat /etc/hosts | grep -v ip6 | cut -f2 | sed "s/$(docker inspect -f '{{.Config.Hostname}}' one)/ONE/; s/$(docker inspect -f '{{.Config.Hostname}}' two)/TWO/"
    docker exec one cat /etc/hosts | grep -c ip6
    docker exec one cat /etc/resolv.conf | grep -c nameserver
    docker exec one sh -c 'ip -o link | cut -d: -f2 | cut -d@ -f1; ip route | cut -d" " -f1,2,4-6 | sed "s/link.*//"'
    docker exec one sh -c 'cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6; cat /sys/class/net/eth0/mtu'
    docker exec one sh -c '[ $(hostname) = $(cat /etc/hostname) ] && hostname | wc -c'
    docker network inspect bridge -f '{{.Name}} {{.Driver}} {{.Scope}} {{.Internal}} {{.EnableIPv6}} {{len .Containers}} {{json .Options}}' | sed 's/"com.docker.network.bridge.name":"[a-z0-9-]*"/"com.docker.network.bridge.name":"B"/'
    docker network inspect host -f '{{.Name}} {{.Driver}}'
    docker network inspect nothere
    docker network rm bridge
    docker rm -f one
    docker rm -f two
    docker run --rm --link nothere:x busybox true
    docker run --rm --network none busybox sh -c 'ip -o link | cut -d: -f2'
    docker run --rm --network host busybox ip -o link show eth0 | wc -l
    docker run --rm --dns 192.0.2.1 --dns-search example.org --dns-option ndots:3 busybox cat /etc/resolv.conf | grep -v '^#'
    docker run --rm --add-host a:192.0.2.7 --add-host b:host-gateway busybox grep -E '[[:space:]](a|b)$' /etc/hosts | sed 's/172[0-9.]*/GW/'
    docker run --rm --mac-address 02:42:ac:11:00:77 busybox cat /sys/class/net/eth0/address | grep -c 02:42
    docker run --rm --ip 172.17.0.99 busybox true
    docker run -d --name base busybox sleep 1000
    docker run --rm --network container:base busybox ip -o -4 addr show eth0 | grep -c $(docker inspect -f '{{.NetworkSettings.IPAddress}}' base)
    docker run --rm --network container:base busybox cat /etc/hostname | grep -cx $(docker inspect -f '{{.Config.Hostname}}' base)
    docker commit --change 'EXPOSE 80' base exposing | wc -c
    docker run --rm --network container:base exposing hostname | grep -cx $(docker inspect -f '{{.Config.Hostname}}' base)
    docker run --rm --network container:base --expose 81 exposing true
    docker run --rm --pull never --network container:base --expose 81 nothere:1 true
    docker rmi exposing | wc -l
    docker rm -f base
    docker inspect -f x base
  `);
  await session.matches("network/modes");
});

test("published ports", async () => {
  const session = new Session(target());
  await session.play(`
    docker run -d --name web -p 8080:80 -p 127.0.0.1:8081:80 -p 81 -p 9000-9002:90-92 busybox sh -c 'echo page >/index.html; httpd -f -p 80 -h /'
    until_true curl -s -m 2 http://$HOSTIP:8080/
    curl -s -m 5 http://$HOSTIP:8080/
    host curl -s -m 5 http://127.0.0.1:8080/
    host curl -s -m 5 http://127.0.0.1:8081/
    curl -s -m 2 http://$HOSTIP:8081/
    docker port web | grep -v '\\[::\\]' | sed 's/:[3-5][0-9][0-9][0-9][0-9]$/:RANDOM/' | sort
    docker ps --format '{{.Ports}}' | sed 's/, \\[::\\][^,]*//g; s/:[3-5][0-9]\\{4\\}-/:RANDOM-/g'
    docker run --rm busybox timeout 5 wget -q -O - http://$HOSTIP:8080/
    docker exec web timeout 5 wget -q -O - http://$HOSTIP:8080/
    docker run --rm -p 8080:80 busybox true 2>&1 | sed 's/endpoint [a-z_0-9]* (.*): /endpoint X: /; s/failed to set up container networking: //; s/ :::/ 0.0.0.0:/'
    docker run --rm -p $HOSTIP:8081:80 busybox true
    docker run --rm -p 192.0.2.250:90:90 busybox true 2>&1 | grep -c 'cannot assign requested address'
    nsenter --net=$NETNS busybox nc -l -p 7777 </dev/null >/dev/null 2>&1 & until_true sh -c 'nsenter --net=$NETNS busybox netstat -ltn | grep -q :7777'; docker run --rm -p 7777:80 busybox true 2>&1 | grep -c 'address already in use'; kill $!
    docker stop -t 0 web
    curl -s -m 2 http://$HOSTIP:8080/
    docker port web
    docker start web
    until_true curl -s -m 2 http://$HOSTIP:8080/
    curl -s -m 5 http://$HOSTIP:8080/
    docker restart -t 0 web
    until_true curl -s -m 2 http://$HOSTIP:8080/
    docker rm -f web
    curl -s -m 2 http://$HOSTIP:8080/
    docker run -d --name all -P --expose 70 --expose 71/udp busybox sleep 1000
    docker port all | grep -v '\\[::\\]' | cut -d: -f1 | sort
    docker rm -f all
    docker run -d --name clash1 -p 8085:80 busybox sleep 1000
    docker create --name clash2 -p 8085:80 busybox sleep 1000
    docker start clash2 2>&1 | grep -c 'port is already allocated'
    docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' clash2
    docker rm -f clash1
    docker start clash2
    docker rm -f clash2
    docker run -d --name range -p 8100-8105:80 busybox sleep 1000
    docker port range | grep -v '\\[::\\]'
    docker rm -f range
    docker run --rm -p 8100-8101:80-82 busybox true
    docker run --rm -p 0:80 busybox true
    docker run --rm -p 70000:80 busybox true
    docker run --rm -p 80/x busybox true
  `);
  await session.matches("network/ports");
});

test("networks of one's own: creation and refusals", async () => {
  const session = new Session(target());
  await session.play(`
    docker network create --subnet 10.1.0.0/16 --ip-range 10.1.5.0/24 --label a=b --internal --attachable n1 | wc -c
    docker network inspect n1 | sed 's/"Created": ".*"/"Created": "T"/'
    docker run --rm --network n1 busybox sh -c 'ip route; hostname -i'
    docker network create n1
    docker network rm n1
    docker network create --subnet 10.1.0.0/16 --ip-range 10.1.0.0/24 n1 | wc -c
    docker run --rm --network n1 busybox ip route
    docker network create --subnet 10.1.4.0/24 n2
    docker network rm n1
    docker network create --subnet 10.1.0.0/24 --ip-range 10.1.0.128/25 --gateway 10.1.0.1 --aux-address a=10.1.0.128 n1 | wc -c
    docker network inspect -f '{{json .IPAM.Config}}' n1
    docker run --rm --network n1 busybox ip route
    docker run --rm --network n1 --ip 10.1.0.9 busybox ip route
    docker run --rm --network n1 --ip 10.1.0.128 busybox true
    docker run --rm --network n1 --ip 10.1.0.1 busybox true
    docker run --rm --network n1 --ip 10.1.0.0 busybox true
    docker run --rm --network n1 --ip 10.9.0.1 busybox true
    docker network rm n1
    docker network create --subnet 10.1.0.0/30 n1 | wc -c
    docker run -d --name c1 --network n1 busybox sleep 1000 | wc -c
    docker run --rm --network n1 busybox true 2>&1 | sed 's/([0-9a-f]*)/(ID)/'
    docker rm -f c1
    docker network rm n1
    docker network create --subnet 10.1.0.0/24 --ip-range 10.1.0.255/32 n1
    docker network create --subnet 10.1.0.0/24 --gateway 10.1.0.255 n1
    docker network create --subnet 10.1.0.0/24 --aux-address a=10.1.0.1 n1
    docker network create --subnet 10.1.0.0/24 --gateway 10.2.0.5 n1
    docker network create --subnet 10.1.0.0/24 --ip-range 10.2.0.0/25 n1
    docker network create --subnet 10.1.0.0/24 --ip-range 10.1.0.0/16 n1
    docker network create --subnet 10.1.0.7/24 n1
    docker network create --subnet 10.1.0.0/24 --subnet 10.5.0.0/24 n1
    docker network create --subnet x n1
    docker network create --subnet 172.17.0.0/16 n1
    docker network create -o com.docker.network.driver.mtu=abc n1
    docker network create -o com.docker.network.driver.mtu=-1 n1
    docker network create -o com.docker.network.bridge.enable_icc=maybe n1
    docker network create -o com.docker.network.bridge.host_binding_ipv4=maybe n1
    docker network create -d nothere n1
    docker network create --ipam-driver nothere n1
    docker network create -d host n1
    docker network create --scope swarm n1
    docker network create --ingress n1
    docker network create ''
    docker network create ' '
    docker network create host
    docker network create default
    docker network create 'a b' | wc -c
    docker network rm 'a b' nothere host
    docker network rm -f nothere
    docker network ls -f nothing=x
    docker network ls -f type=x
    docker network ls -f dangling=x
    docker network ls -f driver=x -q
    docker network inspect nothere
    docker network prune -f --filter nothing=x
    api POST /v1.51/networks/create '{"Name":"x","IPAM":{"Config":[{"Subnet":"10.1.0.0/24","Gateway":"10.1.0.0"}]}}'
    api POST /v1.51/networks/create '{"Name":"x","Options":{"com.docker.network.driver.mtu":"70000"}}'
    api POST /v1.51/networks/create '{"Name":"x","Scope":"swarm"}'
    api POST /v1.51/networks/create '{}'
  `);
  await session.matches("network/creation");
});

test("networks of one's own: containers come and go", async () => {
  const session = new Session(target());
  await session.play(`
    docker network create --subnet 10.1.0.0/24 a1 | wc -c
    docker network create --subnet 10.3.0.0/24 a3 | wc -c
    docker network create a4 | wc -c
    docker run -d --name c1 --network a1 --network-alias one busybox sleep 1000 | wc -c
    docker run -d --name c2 --network a1 --network a3 --link c1:first busybox sleep 1000 | wc -c
    docker exec c2 ip -o -4 addr show | cut -d' ' -f7 | sort
    docker exec c2 ip route | sed 's/ dev eth[01]//' | sort
    docker exec c2 nslookup -type=a first | grep Address | tail -1
    docker exec c2 nslookup -type=a ONE.a1 | grep Address | tail -1
    docker exec c2 nslookup -type=a $(docker inspect -f '{{slice .Id 0 12}}' c1) | grep Address | tail -1
    docker exec c2 nslookup 10.1.0.2 | grep name
    docker exec c1 nslookup -type=a nothere.a1 | tail -2

    # Connected and disconnected while it runs
    docker network connect --alias hot --ip 10.3.0.77 a3 c1
    docker exec c1 ip -o -4 addr show | cut -d' ' -f2,7
    docker exec c2 nslookup -type=a hot | grep Address | tail -1
    docker exec c2 ping -c 1 -W 5 hot | grep -c '1 packets received'
    docker network connect a3 c1
    docker network inspect -f '{{range .Containers}}{{println .Name .IPv4Address}}{{end}}' a3 | sort
    docker network disconnect a1 c1
    docker exec c1 ip route
    docker exec c2 nslookup -type=a one | tail -2
    docker restart -t 0 c1
    docker inspect -f '{{range $name, $one := .NetworkSettings.Networks}}{{$name}} {{$one.IPAddress}} {{json $one.Aliases}}{{end}}' c1
    docker network connect --gw-priority 1 a1 c1
    docker exec c1 ip route
    docker rename c1 renamed
    docker exec c2 nslookup -type=a renamed | grep Address | tail -1
    docker rename renamed c1

    # Refusals
    docker network rm a1 2>&1 | sed 's/id:"[0-9a-f]*"/id:"ID"/g; s/(name.*)/(NAMES)/'
    docker network connect nothere c1
    docker network connect a1 nothere
    docker network connect host c1
    docker network connect none c1
    docker network connect --ip 10.1.0.7 bridge c1
    docker network connect --alias x bridge c1
    docker network connect --ip 10.1.0.7 a4 c1
    docker network disconnect bridge c1
    docker network disconnect a1 nothere
    docker network disconnect -f a1 nothere
    docker network disconnect -f a4 c1
    docker run -d --name h1 --network host busybox sleep 1000 | wc -c
    docker network connect a1 h1
    docker network disconnect host h1
    docker run -d --name k1 --network container:c1 busybox sleep 1000 | wc -c
    docker network connect a1 k1
    docker network disconnect a1 k1
    docker run -d --name n1 --network none busybox sleep 1000 | wc -c
    docker network connect a1 n1
    docker network disconnect none n1
    docker network connect a1 n1
    docker exec n1 ping -c 1 -W 5 c2 | grep -c '1 packets received'
    docker network connect none n1
    docker network disconnect a1 n1
    docker network connect none n1
    docker exec n1 ip -o link | wc -l
    docker network connect a1 n1
    docker create --name s1 --network a1 busybox true | wc -c
    docker network disconnect a4 s1
    docker network disconnect a1 s1
    docker network disconnect a1 s1
    docker rm -f h1 k1 n1 s1

    # Events
    docker events --filter type=network --format '{{.Action}} {{len .Actor.ID}} {{json .Actor.Attributes}}' >events & until_true sh -c 'docker network create e1; docker network rm e1; grep -q destroy events'; docker run --rm --network a4 busybox true; docker run --rm --network none busybox true; docker run --rm --network host busybox true; docker run --rm busybox true; docker network create e2 >/dev/null; docker network rm e2; until_true grep -q 'destroy.*e2' events; kill $!; grep -v '"e1"' events

    # A name server of its own
    docker run -d --name s53 --network a1 busybox sh -c 'nc -ll -p 53 -e echo mine' | wc -c
    until_true docker exec c2 nc -w 2 s53 53
    docker exec c2 nc -w 2 s53 53
    docker exec s53 nslookup -type=a c2 | grep Address | tail -1
    docker exec s53 nc -w 2 127.0.0.1 53
    docker rm -f c1 c2 s53
    docker network prune -f | sort
  `);
  await session.matches("network/members");
});

test("a container that is restarted keeps its addresses", async () => {
  const docker = (...args: string[]) => target().must(...args);
  await docker("network", "create", "kept");
  await docker("run", "-d", "--name", "again", "busybox", "sleep", "1000");
  await docker("network", "connect", "kept", "again");
  const addresses = () => docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", "again");
  const first = await addresses();
  for (let round = 0; round < 5; round++) {
    await docker("restart", "-t", "0", "again");
    expect(await addresses()).toBe(first);
  }
  await docker("rm", "-f", "again");
  await docker("network", "rm", "kept");
});

test("udp: published, and on the name server's own port", async () => {
  const echo =
    "Bun.udpSocket({ port: 53, socket: { data(socket, data, port, from) { socket.send(data, port, from) } } })";
  await target().must("network", "create", "udp");
  // Debian's busybox serves no UDP, but the program that runs this test can.
  const program = ["-v", `${process.execPath}:/bun:ro`, "-v", "/usr/lib:/lib:ro", "-v", "/lib64:/lib64:ro"];
  const network = ["--name", "echo", "--network", "udp", "-p", "5353:53/udp"];
  await target().must("run", "-d", ...network, ...program, "busybox", "/bun", "-e", echo);
  const { promise, resolve } = Promise.withResolvers<string>();
  const client = await Bun.udpSocket({
    connect: { hostname: target().host.address, port: 5353 },
    socket: { data: (_, data) => resolve(data.toString()), error: () => undefined },
  });
  const again = setInterval(() => client.send("ping"), 100);
  expect(await promise).toBe("ping");
  clearInterval(again);
  client.close();
  expect(await target().must("exec", "echo", "nslookup", "-type=a", "echo")).toMatch(/Name:\techo\nAddress: 172/);
  await target().must("rm", "-f", "echo");
  await target().must("network", "rm", "udp");
});

test("the world outside, and many connections at once", async () => {
  await target().must(
    "run",
    "-d",
    "--name",
    "server",
    "-p",
    "8090:80",
    "busybox",
    "sh",
    "-c",
    "mkdir /w; head -c 1000000 /dev/zero >/w/x; httpd -f -p 80 -h /w",
  );
  const { address } = target().host;
  const url = `http://${address}:8090/x`;
  await until("the server", async () => (await fetch(url).catch(() => undefined))?.ok);
  const sizes = await Promise.all(
    Array.from({ length: 30 }, async () => (await (await fetch(url)).arrayBuffer()).byteLength),
  );
  expect(sizes).toEqual(Array(30).fill(1_000_000));
  await new Promise<void>((resolve, reject) => {
    const socket = connect(8090, address, () => {
      socket.destroy();
      resolve();
    });
    socket.on("error", reject);
  });
  await target().must("rm", "-f", "server");

  expect(await seenFromOutside()).toBe(address);
});

test.if(targetKind === "gantry")("ports come and go while the container runs", async () => {
  await startPage("moving", 8094);
  const update = (PortBindings: object) =>
    target().api("/v1.51/containers/moving/update", { method: "POST", json: { PortBindings } });
  expect((await update({ "80/tcp": [{ HostPort: "8093" }] })).status).toBe(200);
  await answers(8093);
  await expect(fetch(`http://${target().host.address}:8094/`)).rejects.toThrow();
  expect(await target().must("port", "moving")).toBe("80/tcp -> 0.0.0.0:8093");
  // What cannot be had changes nothing; what was had outlives the daemon and the container's process.
  await startPage("other", 8092);
  const refused = await update({ "80/tcp": [{ HostPort: "8092" }] });
  expect([refused.status, await refused.text()]).toEqual([500, expect.stringContaining("port is already allocated")]);
  await target().stopDaemon("SIGKILL");
  await target().startDaemon();
  await answers(8093);
  await target().must("restart", "-t", "0", "moving");
  await answers(8093);
  await target().must("rm", "-f", "moving", "other");
});

test.if(targetKind === "gantry")("beside a firewall whose forward policy is drop", async () => {
  const { host } = target();
  // What dockerd leaves: FORWARD drops, DOCKER-USER comes first.
  const rules = `table ip filter {
    chain DOCKER-USER { }
    chain FORWARD { type filter hook forward priority filter; policy drop; jump DOCKER-USER; }
  }`;
  await must(host.command(["nft", "-f", "-"]), { input: rules });
  const before = (await host.run("nft", "list", "chain", "ip", "filter", "FORWARD")).stdout;
  await target().stopDaemon();
  await target().startDaemon();
  await startPage("wall", 8095);
  expect(await seenFromOutside()).toBe(host.address);
  expect((await host.run("nft", "list", "chain", "ip", "filter", "FORWARD")).stdout).toBe(before);
  await target().must("rm", "-f", "wall");
  await target().stopDaemon();
  expect((await host.run("nft", "list", "chain", "ip", "filter", "DOCKER-USER")).stdout).not.toContain("accept");
  await must(host.command(["nft", "delete", "table", "ip", "filter"]));
  await target().startDaemon();
});

test.if(targetKind === "gantry")("beside a dockerd on the same host, which starts and ends as it likes", async () => {
  const { host } = target();
  await startPage("ours", 8096);
  // dockerd starts while our daemon runs: its FORWARD policy is DROP from then on, also for what is connected already.
  const peer = new Peer(target());
  // It sets that policy only if it was itself that switched forwarding on.
  await must(host.command(["sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_forward"]));
  await peer.start();
  expect((await host.run("iptables", "-S", "FORWARD")).stdout).toContain("-P FORWARD DROP");
  await target().must("network", "create", "beside");
  await startPage("later", 8097, "--network", "beside");
  await until("our rules in DOCKER-USER", async () => (await userRules()).length >= 4);
  await answers(8096);
  expect(await seenFromOutside()).toBe(host.address);
  await peer.must("import", "-c", 'CMD ["sh"]', await busyboxArchive(), "busybox:latest");
  await peer.must("run", "-d", "--name", "theirs", "--stop-signal", "KILL", "-p", "8098:80", "busybox", ...page);
  await answers(8098);

  // Neither minds that the other starts again.
  await peer.stop();
  await answers(8096);
  await answers(8097);
  await peer.start();
  await peer.must("start", "theirs");
  await until("our rules again", async () => (await userRules()).length >= 4);
  await target().must("rm", "-f", "ours", "later");
  await target().must("network", "rm", "beside");
  await target().stopDaemon();
  expect(await userRules()).toEqual([]);
  await answers(8098);
  await target().startDaemon();
  await answers(8098);
  expect(await seenFromOutside()).toBe(host.address);
  await target().stopDaemon();
  await peer.remove();
  await target().startDaemon();
});

const page = ["sh", "-c", "echo page >/index.html; exec httpd -f -p 80 -h /"];

async function startPage(name: string, port: number, ...flags: string[]): Promise<void> {
  await target().must("run", "-d", "--init", "--name", name, "-p", `${port}:80`, ...flags, "busybox", ...page);
  await answers(port);
}

/** Waits until the published port gives the page to the outside. */
async function answers(port: number): Promise<void> {
  const url = `http://${target().host.address}:${port}/`;
  const ask = () => fetch(url, { signal: AbortSignal.timeout(2000), headers: { connection: "close" } });
  await until(`port ${port}`, async () => (await ask().catch(() => undefined))?.ok);
}

/** The address that a container has for the uplink's other end, which it reaches only through masquerading. */
async function seenFromOutside(): Promise<string> {
  const gateway = (await must(["ip", "-n", target().host.name, "route", "show", "default"])).split(" ")[2] as string;
  const server = Bun.serve({
    hostname: gateway,
    port: 0,
    fetch: (request, self) => new Response(self.requestIP(request)?.address ?? ""),
  });
  const url = `http://${gateway}:${server.port}/`;
  try {
    return await target().must("run", "--rm", "busybox", "timeout", "10", "wget", "-q", "-O", "-", url);
  } finally {
    await server.stop(true);
  }
}

/** The rules in dockerd's chain for others, but dockerd's own. */
async function userRules(): Promise<string[]> {
  const { stdout } = await target().host.run("iptables", "-S", "DOCKER-USER");
  return stdout.split("\n").filter((line) => line.startsWith("-A") && line !== "-A DOCKER-USER -j RETURN");
}
