/** The default bridge, published ports, other network modes, links, name resolution. */
import { expect, test } from "bun:test";
import { connect } from "node:net";
import { useTarget } from "./lib/journey.ts";
import { must, run, until } from "./lib/run.ts";
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
    docker exec two ping -c 1 -W 1 first 2>&1 | grep -c 'bad address\\|100% packet loss'
    docker rm -f two
    docker run --rm --link nothere:x busybox true
    docker run --rm --network none busybox sh -c 'ip -o link | cut -d: -f2'
    docker run --rm --network host busybox ip -o link | grep -c eth0
    docker run --rm --dns 192.0.2.1 --dns-search example.org --dns-option ndots:3 busybox cat /etc/resolv.conf | grep -v '^#'
    docker run --rm --add-host a:192.0.2.7 --add-host b:host-gateway busybox grep -E '(a|b)$' /etc/hosts | sed 's/172[0-9.]*/GW/'
    docker run --rm --mac-address 02:42:ac:11:00:77 busybox cat /sys/class/net/eth0/address | grep -c 02:42
    docker run --rm --ip 172.17.0.99 busybox true
    docker run -d --name base busybox sleep 1000
    docker run --rm --network container:base busybox ip -o -4 addr show eth0 | grep -c $(docker inspect -f '{{.NetworkSettings.IPAddress}}' base)
    docker run --rm --network container:base busybox cat /etc/hostname | grep -cx $(docker inspect -f '{{.Config.Hostname}}' base)
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
    docker port web | sed 's/:[3-5][0-9][0-9][0-9][0-9]$/:RANDOM/' | sort
    docker ps --format '{{.Ports}}' | sed 's/:[3-5][0-9]\\{4\\}-/:RANDOM-/g'
    docker run --rm busybox wget -q -T 5 -O - http://$HOSTIP:8080/
    docker exec web wget -q -T 5 -O - http://$HOSTIP:8080/
    docker run --rm -p 8080:80 busybox true 2>&1 | sed 's/endpoint [a-z_0-9]* (.*): /endpoint X: /; s/failed to set up container networking: //'
    docker run --rm -p $HOSTIP:8081:80 busybox true
    host sh -c 'busybox nc -l -p 7777 & sleep 0.5'; docker run --rm -p 192.0.2.250:90:90 busybox true 2>&1 | grep -c 'cannot assign requested address'
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
    docker port all | cut -d: -f1 | sort
    docker rm -f all
    docker run -d --name clash1 -p 8085:80 busybox sleep 1000
    docker create --name clash2 -p 8085:80 busybox sleep 1000
    docker start clash2 2>&1 | grep -c 'port is already allocated'
    docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' clash2
    docker rm -f clash1
    docker start clash2
    docker rm -f clash2
    docker run -d --name range -p 8100-8105:80 busybox sleep 1000
    docker port range
    docker rm -f range
    docker run --rm -p 8100-8101:80-82 busybox true
    docker run --rm -p 0:80 busybox true
    docker run --rm -p 70000:80 busybox true
    docker run --rm -p 80/x busybox true
  `);
  await session.matches("network/ports");
});

test("udp", async () => {
  await target().must(
    "run",
    "-d",
    "--name",
    "u",
    "-p",
    "5353:53/udp",
    "busybox",
    "nc",
    "-u",
    "-l",
    "-p",
    "53",
    "-e",
    "cat",
  );
  const { address } = target().host;
  const answer = await until("an answer", async () => {
    const { stdout } = await run(["busybox", "nc", "-u", "-w", "1", address, "5353"], {
      input: "ping\n",
      timeout: 3000,
    });
    return stdout === "" ? undefined : stdout;
  });
  expect(answer).toBe("ping\n");
  await target().must("rm", "-f", "u");
});

test("the world outside, and many connections at once", async () => {
  await target().must(
    "run",
    "-d",
    "--name",
    "s",
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
  await target().must("rm", "-f", "s");

  // The uplink's other end is outside: a container reaches it only through masquerading.
  const gateway = (await must(["ip", "-n", target().host.name, "route", "show", "default"])).split(" ")[2] as string;
  const server = Bun.serve({
    hostname: gateway,
    port: 0,
    fetch: (_, self) => new Response(self.requestIP(_)?.address ?? ""),
  });
  const seen = await target().must(
    "run",
    "--rm",
    "busybox",
    "wget",
    "-q",
    "-T",
    "5",
    "-O",
    "-",
    `http://${gateway}:${server.port}/`,
  );
  await server.stop(true);
  expect(seen).toBe(address);
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
  await target().must(
    "run",
    "-d",
    "--name",
    "w",
    "-p",
    "8095:80",
    "busybox",
    "sh",
    "-c",
    "echo p >/index.html; httpd -f -p 80 -h /",
  );
  await until("the server", async () => (await fetch(`http://${host.address}:8095/`).catch(() => undefined))?.ok);
  expect(await target().must("run", "--rm", "busybox", "nslookup", "debian.org")).toContain("Address");
  expect((await host.run("nft", "list", "chain", "ip", "filter", "FORWARD")).stdout).toBe(before);
  await target().must("rm", "-f", "w");
  await target().stopDaemon();
  expect((await host.run("nft", "list", "chain", "ip", "filter", "DOCKER-USER")).stdout).not.toContain("accept");
  await must(host.command(["nft", "delete", "table", "ip", "filter"]));
  await target().startDaemon();
});
