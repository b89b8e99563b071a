/** Networks of version 6: creation and refusals, containers on them, published ports, the default bridge. */
import { describe, test } from "bun:test";
import { useTarget } from "./lib/journey.ts";
import { Session } from "./lib/session.ts";

/** Without dockerd's proxy processes both publish the same ports: none on [::] for a container that has no address of version 6. */
const flags = ["--userland-proxy=false"];

describe("networks of one's own", () => {
  const target = useTarget({ flags });

  test("creation and refusals", async () => {
    const session = new Session(target());
    await session.play(`
      docker network create --ipv6 n1 | wc -c
      docker network inspect n1 | sed 's/"Created": ".*"/"Created": "T"/; s/"172[.0-9]*/"V4/; s/fd[0-9a-f:]*::/ULA::/; s,V4/[0-9]*,V4,'
      docker run --rm --network n1 busybox sh -c 'ip -6 route | grep default | sed "s/fd.*::/ULA::/"; ip -6 -o addr show eth0 | grep -c global'
      docker network rm n1
      docker network create --ipv6 --subnet fd00:1::/64 --subnet 10.1.0.0/24 n1 | wc -c
      docker network inspect -f '{{json .IPAM.Config}} {{.EnableIPv4}} {{.EnableIPv6}}' n1
      docker network rm n1
      docker network create --ipv6 --subnet 10.1.0.0/24 --subnet fd00:1::/64 --gateway fd00:1::9 --ip-range fd00:1::100/120 --aux-address a=fd00:1::100 n1 | wc -c
      docker network inspect -f '{{json .IPAM.Config}}' n1
      docker run --rm --network n1 busybox ip -6 route
      docker run --rm --network n1 --ip6 fd00:1::77 busybox ip -6 -o addr show eth0 | sed 's/fe80:[0-9a-f:]*/fe80::X/; s/ tentative//'
      docker run --rm --network n1 --ip6 fd00:1::9 busybox true
      docker run --rm --network n1 --ip6 fd00:1::100 busybox true
      docker run --rm --network n1 --ip6 fd00:2::100 busybox true
      docker run --rm --network n1 --ip6 10.1.0.7 busybox true
      docker run --rm --network n1 --ip fd00:1::7 busybox true
      docker network create --ipv6 --subnet fd00:1::/80 n2
      docker network rm n1
      docker network create --subnet fd00:1::/64 n1
      docker network inspect -f '{{json .IPAM.Config}} {{.EnableIPv4}} {{.EnableIPv6}}' n1 | sed 's/172[.0-9]*/V4/g; s,V4/[0-9]*,V4,'
      docker run --rm --network n1 busybox ip -6 route
      docker network rm n1
      docker network create --ipv4=false n1
      docker network create --ipv4=false --ipv6 --subnet fd00:1::/64 n1 | wc -c
      docker network inspect -f '{{json .IPAM.Config}} {{.EnableIPv4}} {{.EnableIPv6}}' n1
      docker run --rm --network n1 busybox sh -c 'ip -o -4 addr show eth0; ip -o -6 addr show eth0 scope global; ip route; ip -6 route'
      docker run --rm --network n1 --ip 10.1.0.7 busybox true
      docker network rm n1
      docker network create --ipv4=false --ipv6 --subnet 10.1.0.0/24 n1
      docker network inspect -f '{{json .IPAM.Config}} {{.EnableIPv4}} {{.EnableIPv6}}' n1 | sed 's/fd[0-9a-f:]*::/ULA::/g'
      docker network rm n1
      docker network create --ipv6 --subnet fd00:1::/64 --subnet fd00:2::/64 n1
      docker network create --ipv6 --subnet fd00:1::7/64 n1
      docker network create --ipv6 --subnet fd00:1::/129 n1
      docker network create --ipv6 --subnet fd00:1::/64 --gateway fd00:2::1 n1
      docker network create --ipv6 --subnet fd00:1::/64 --ip-range fd00:2::/80 n1
      docker network create --ipv6 --subnet fd00:1::/64 --ip-range fd00:1::/48 n1
      docker network create --ipv6 --subnet fd00:1::/64 --ip-range fd00:1::7/80 n1
      docker network create --ipv6 --subnet fd00:1::/64 --ip-range 10.1.0.0/25 n1
      docker network create --ipv6 --subnet fd00:1::/64 --aux-address a=fd00:1::1 n1
      docker network create --ipv6 --subnet 10.1.0.0/24 --ip-range 10.2.0.0/25 --subnet fd00:1::7/64 n1
      docker network create --ipv6 --subnet fd00:1::/126 n1 | wc -c
      docker run -d --name c1 --network n1 busybox sleep 1000 | wc -c
      docker run -d --name c2 --network n1 busybox sleep 1000 | wc -c
      docker exec c2 ip -6 -o addr show eth0 scope global
      docker run --rm --network n1 busybox true 2>&1 | sed 's/([0-9a-f]*)/(ID)/'
      docker rm -f c1 c2
      docker network rm n1
      docker network create --ipv6 --subnet fd00:1::/127 n1 | wc -c
      docker run --rm --network n1 busybox ip -6 -o addr show eth0 scope global
      docker network rm n1
      docker network create --ipv6 --subnet fd00:1::/48 n1 | wc -c
      docker run --rm --network n1 busybox ip -6 -o addr show eth0 scope global
      docker network rm n1
      docker network create --ipv6 --internal --subnet fd00:1::/64 n1 | wc -c
      docker run --rm --network n1 busybox ip -6 route
      docker network inspect -f '{{json .IPAM.Config}}' n1 | sed 's/172[.0-9]*/V4/g; s,V4/[0-9]*,V4,'
      docker network rm n1
      docker network ls -q --filter type=custom
    `);
    await session.matches("network-ipv6/creation");
  });

  test("containers come and go", async () => {
    const session = new Session(target());
    await session.play(`
      docker network create --ipv6 --subnet 10.1.0.0/24 --subnet fd00:1::/64 a1 | wc -c
      docker network create --ipv4=false --ipv6 --subnet fd00:3::/64 a3 | wc -c
      docker network create --subnet 10.4.0.0/24 a4 | wc -c
      docker run -d --name c1 --network a1 --network-alias one busybox sleep 1000 | wc -c
      docker run -d --name c2 --network a1 --network a3 --hostname second busybox sleep 1000 | wc -c
      docker exec c2 ip -o addr show scope global | sed 's/ *valid_lft.*//; s/^[0-9]*: eth[01]//; s/ flags .*//; s/brd.*//' | sort
      docker exec c2 ip -6 route | sed 's/eth[01]/ethN/' | grep -v multicast | sort
      docker exec c2 cat /etc/hosts | grep second
      docker exec c2 cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6 /proc/sys/net/ipv6/conf/eth1/disable_ipv6 /proc/sys/net/ipv6/conf/lo/disable_ipv6
      docker exec c2 ping6 -c 1 -W 5 c1 | grep -c '1 packets received'
      docker exec c2 nslookup -type=aaaa one | grep Address | tail -1
      docker exec c2 nslookup -type=a one | grep Address | tail -1
      docker exec c1 nslookup fd00:1::3 | grep name
      docker exec c1 nslookup -type=aaaa nothere.a1 | tail -2
      docker inspect -f '{{range .NetworkSettings.Networks}}{{println .IPAddress .IPPrefixLen .Gateway .GlobalIPv6Address .GlobalIPv6PrefixLen .IPv6Gateway}}{{end}}' c2
      docker network inspect -f '{{range .Containers}}{{println .Name .IPv4Address .IPv6Address}}{{end}}' a1 | sort
      docker network inspect -f '{{range .Containers}}{{println .Name .IPv4Address .IPv6Address}}{{end}}' a3 | sort

      # Connected and disconnected while it runs
      docker network connect --alias hot --ip6 fd00:3::77 a3 c1
      docker exec c1 ip -o -6 addr show scope global | cut -d' ' -f2,7
      docker exec c2 nslookup -type=aaaa hot | grep Address | tail -1
      docker exec c2 nslookup -type=a hot | grep -v Server | tail -3
      docker exec c2 ping6 -c 1 -W 5 hot | grep -c '1 packets received'
      docker exec c1 grep fd00 /etc/hosts | cut -f1
      docker network connect --gw-priority 1 a4 c1
      docker exec c1 ip route | grep default
      docker exec c1 ip -6 route | grep default
      docker network disconnect a1 c1
      docker exec c1 ip -6 route | grep default
      docker exec c1 grep fd00 /etc/hosts | cut -f1
      docker network disconnect a4 c1
      docker exec c1 ip route
      docker exec c1 ip -6 route | grep default
      docker restart -t 0 c1
      docker exec c1 ip -o -6 addr show scope global | cut -d' ' -f2,7
      docker network connect --ip6 fd00:1::2 a1 c1
      docker exec c1 ip -o -6 addr show eth1 scope global | cut -d' ' -f2,7
      docker network disconnect a1 c1
      docker network connect --ip6 fd00:1::3 a1 c1
      docker network connect --ip6 fd00:4::3 a4 c1
      docker network connect --ip6 fd00:9::3 a1 c1
      docker network connect --ip 10.3.0.9 a3 c1
      docker network connect --ip6 fd00:1::9 bridge c1
      docker rm -f c1 c2
      docker network rm a1 a3 a4

      # A network without IPv6, and one that is asked not to have it
      docker network create a1 | wc -c
      docker run --rm --network a1 busybox sh -c 'cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6; ip -6 -o addr show eth0'
      docker run --rm --network a1 --ip6 fd00:1::9 busybox true
      docker network rm a1
      docker network create --ipv6 --subnet fd00:1::/64 a1 | wc -c
      docker run --rm --network a1 --sysctl net.ipv6.conf.all.disable_ipv6=1 busybox sh -c 'cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6; ip -6 -o addr show eth0'
      docker run --rm --network none busybox ip -6 -o addr show lo
      docker run --rm --network none --sysctl net.ipv6.conf.all.disable_ipv6=1 busybox ip -6 -o addr
      docker run --rm --network a1 --mac-address 02:42:ac:11:00:77 busybox ip -6 -o addr show eth0 scope link | sed 's/ tentative//'
      docker network rm a1
    `);
    await session.matches("network-ipv6/members");
  });

  test("published ports", async () => {
    const session = new Session(target());
    await session.play(`
      docker network create --ipv6 --subnet 10.1.0.0/24 --subnet fd00:1::/64 p1 | wc -c
      docker network create --ipv4=false --ipv6 --subnet fd00:3::/64 p3 | wc -c
      docker run -d --name web --network p1 -p 8080:80 -p 127.0.0.1:8081:80 -p "[$HOSTIP6]:8083:80" -p 0.0.0.0:8084:80 -p '[::]:8085:80' -p 81 -p 9000-9001:90-91 busybox sh -c 'echo page >/index.html; httpd -f -p [::]:80 -h /' | wc -c
      docker port web | sed 's/:3[0-9][0-9][0-9][0-9]$/:RANDOM/' | sort
      docker inspect -f '{{json (index .NetworkSettings.Ports "90/tcp")}}' web
      [ $(docker port web 81 | sed 's/.*://' | sort -u | wc -l) = 1 ]
      docker ps --format '{{.Ports}}' | sed 's/:3[0-9]\\{4\\}-/:RANDOM-/g'
      until_true curl -s -m 2 http://$HOSTIP:8080/
      curl -s -m 5 http://$HOSTIP:8080/
      curl -s -m 5 http://[$HOSTIP6]:8080/
      host curl -s -m 5 http://[$HOSTIP6]:8080/
      host curl -s -m 5 http://127.0.0.1:8081/
      curl -s -m 5 http://[$HOSTIP6]:8083/
      curl -s -m 2 http://[$HOSTIP6]:8084/
      curl -s -m 5 http://[$HOSTIP6]:8085/
      curl -s -m 2 http://$HOSTIP:8085/
      docker exec web timeout 5 wget -q -O - http://[$HOSTIP6]:8080/
      docker run --rm --network p1 -p 8080:80 busybox true 2>&1 | sed 's/endpoint [a-z_0-9]* (.*): /endpoint X: /; s/ :::/ 0.0.0.0:/'
      docker run --rm --network p1 -p '[::]:8080:80' busybox true 2>&1 | sed 's/endpoint [a-z_0-9]* (.*): /endpoint X: /'
      docker run --rm --network p1 -p "[$HOSTIP6]:8085:80" busybox true 2>&1 | sed 's/endpoint [a-z_0-9]* (.*): /endpoint X: /'
      docker run --rm --network p1 -p '[fd00:9::9]:90:90' busybox true 2>&1 | grep -c 'cannot assign requested address'
      docker run --rm --network p1 -p '[::]:8084:80' busybox echo free
      docker stop -t 0 web
      curl -s -m 2 http://[$HOSTIP6]:8080/
      docker start web
      until_true curl -s -m 2 http://[$HOSTIP6]:8080/
      curl -s -m 5 http://[$HOSTIP6]:8080/
      docker network connect --gw-priority 5 p3 web
      docker port web 80 | sort
      docker network disconnect p3 web
      docker port web 80 | sort
      docker rm -f web

      # Of a container without version 4, and of one without version 6
      docker run -d --name six --network p3 -p 8080:80 -p 0.0.0.0:8081:80 busybox sh -c 'echo six >/index.html; httpd -f -p [::]:80 -h /' | wc -c
      docker port six
      docker rm -f six
      docker run -d --name six --network p3 -p 8080:80 busybox sh -c 'echo six >/index.html; httpd -f -p [::]:80 -h /' | wc -c
      docker port six
      until_true curl -s -m 2 http://[$HOSTIP6]:8080/
      curl -s -m 2 http://$HOSTIP:8080/
      curl -s -m 5 http://[$HOSTIP6]:8080/
      docker rm -f six
      docker run -d --name four -p 8080:80 busybox sleep 1000 | wc -c
      docker port four
      docker rm -f four
      docker run -d --name four -p '[::]:8082:80' busybox sleep 1000 | wc -c
      docker port four
      docker rm -f four
      docker run -d --name all --network p1 -P --expose 70 --expose 71/udp busybox sleep 1000 | wc -c
      docker port all | sed 's/:[0-9]*$//' | sort
      docker rm -f all

      # The bind address of a network
      docker network create --ipv6 --subnet 10.5.0.0/24 --subnet fd00:5::/64 -o com.docker.network.bridge.host_binding_ipv4=127.0.0.1 p5 | wc -c
      docker run -d --name bound --network p5 -p 8080:80 busybox sleep 1000 | wc -c
      docker port bound
      docker rm -f bound
      docker network rm p5
      docker network create --ipv6 --subnet 10.5.0.0/24 --subnet fd00:5::/64 -o com.docker.network.bridge.host_binding_ipv4=:: p5 | wc -c
      docker run -d --name bound --network p5 -p 8080:80 busybox sleep 1000 | wc -c
      docker port bound
      docker rm -f bound
      docker network rm p1 p3 p5
    `);
    await session.matches("network-ipv6/ports");
  });
});

describe("the default bridge", () => {
  const target = useTarget({
    flags,
    config: { ipv6: true, "fixed-cidr-v6": "fd00:77::/64", "fixed-cidr": "10.77.4.0/24", bip: "10.77.0.1/16" },
  });

  test("has version 6, and the ranges of its configuration", async () => {
    const session = new Session(target());
    await session.play(`
      docker network inspect bridge -f '{{.EnableIPv4}} {{.EnableIPv6}} {{json .IPAM.Config}}'
      docker network inspect bridge -f '{{json .Options}}' | sed 's/"com.docker.network.bridge.name":"[a-z0-9-]*"/"com.docker.network.bridge.name":"B"/'
      docker run -d --name one -p 8080:80 busybox sh -c 'echo page >/index.html; httpd -f -p [::]:80 -h /' | wc -c
      docker run -d --name two --link one:first busybox sleep 1000 | wc -c
      docker exec two ip -o addr show eth0 scope global | sed 's/ *valid_lft.*//; s/ flags .*//; s/^[0-9]*: //'
      docker exec two ip -6 route | grep default
      docker exec two grep -c 10.77 /etc/hosts
      docker exec two grep fd00 /etc/hosts | cut -f1
      docker exec two ping6 -c 1 -W 5 fd00:77::2 | grep -c '1 packets received'
      docker exec two env | grep FIRST_NAME
      docker inspect -f '{{with .NetworkSettings}}{{.IPAddress}} {{.IPPrefixLen}} {{.Gateway}} {{.GlobalIPv6Address}} {{.GlobalIPv6PrefixLen}} {{.IPv6Gateway}}{{end}}' one
      docker port one
      until_true curl -s -m 2 http://[$HOSTIP6]:8080/
      curl -s -m 5 http://[$HOSTIP6]:8080/
      docker run --rm --add-host gw:host-gateway busybox grep gw /etc/hosts
      docker rm -f one two
    `);
    await session.matches("network-ipv6/bridge");
  });
});
