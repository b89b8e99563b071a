/** Networks of other drivers, made from configurations, and with the options of drivers and endpoints. */
import { test } from "bun:test";
import { useTarget } from "./lib/journey.ts";
import { Session } from "./lib/session.ts";

const target = useTarget({ flags: ["--userland-proxy=false"] });

test("options of bridges", async () => {
  const session = new Session(target());
  await session.play(`
    docker network create -o com.docker.network.bridge.gateway_mode_ipv4=nonsense n1
    docker network create -o com.docker.network.bridge.gateway_mode_ipv6=nonsense n1
    docker network create -o com.docker.network.bridge.gateway_mode_ipv4=isolated n1
    docker network create -o com.docker.network.bridge.gateway_mode_ipv6=isolated n1
    docker network create --internal -o com.docker.network.bridge.gateway_mode_ipv4=routed n1
    docker network rm n1
    docker network create --internal -o com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected n1
    docker network rm n1
    docker network create -o com.docker.network.bridge.inhibit_ipv4=maybe n1
    docker network create -o com.docker.network.bridge.trusted_host_interfaces=eth0 n1
    docker network rm n1
    docker network create -o com.docker.network.host_ipv4=maybe n1
    docker network create -o com.docker.network.host_ipv6=maybe n1
    docker network create -o com.docker.network.host_ipv4=fd00::1 n1
    docker network create -o com.docker.network.bridge.host_binding_ipv4=fd00::1 n1
    docker network rm n1
    docker network create -o com.docker.network.bridge.enable_ip_masquerade=x n1
    docker network create -o com.docker.network.bridge.default_bridge=x n1
    docker network create -o com.docker.network.bridge.default_bridge=true n1
    docker network rm n1
    docker network create -o com.docker.network.bridge.name=averyveryverylongname n1
    docker network create -o com.docker.network.bridge.name='a b' n1
    docker network create -o com.docker.network.bridge.name=a/b n1
    docker network create -o com.docker.network.bridge.name=lo n1
    docker network create -o com.docker.network.bridge.name=. n1
    docker network create -o com.docker.network.container_iface_prefix=a/b n1
    docker network rm n1
    docker network create -o com.docker.network.container_iface_prefix=averyveryverylongname n1
    docker run --rm --network n1 busybox true 2>&1 | sed 's/veth[0-9a-f]*/VETH/'
    docker network rm n1
    docker network create -o com.docker.network.enable_ipv6=true n1
    docker network inspect -f '{{.EnableIPv6}} {{json .Options}}' n1
    docker network rm n1
    docker network create -o com.docker.network.enable_ipv4=false n1
    docker network inspect -f '{{.EnableIPv4}} {{json .Options}}' n1
    docker network rm n1
    docker network create -o com.docker.network.internal=true n1
    docker network inspect -f '{{.Internal}} {{json .Options}}' n1
    docker network rm n1
    docker network create -o nonsense=x n1
    docker network inspect -f '{{json .Options}}' n1
    docker network rm n1

    # What they do
    docker network create --subnet 10.1.0.0/24 -o com.docker.network.container_iface_prefix=lan -o com.docker.network.driver.mtu=1280 n1 | wc -c
    docker network create --subnet 10.2.0.0/24 -o com.docker.network.bridge.name=mybr0 n2 | wc -c
    docker run --rm --network n1 --network n2 busybox sh -c 'ip -o -4 addr | cut -d" " -f2,7 | sort; cat /sys/class/net/lan0/mtu'
    host ip -o -4 addr show mybr0 | cut -d' ' -f2,7
    docker network create -o com.docker.network.bridge.name=mybr0 n3
    docker network rm n1 n2
    docker network create --subnet 10.1.0.0/24 -o com.docker.network.bridge.enable_icc=false n1 | wc -c
    docker run -d --name c1 --network n1 busybox sleep 1000 | wc -c
    docker run --rm --network n1 busybox ping -c 1 -W 1 c1 | tail -1
    docker rm -f c1
    docker network rm n1
    docker network create --subnet 10.1.0.0/24 --ipv6 --subnet fd00:1::/64 --internal n1 | wc -c
    docker run --rm --network n1 busybox sh -c 'ip route; ip -6 route | grep default; ping -c 1 -W 1 10.1.0.1 | grep -c "1 packets received"'
    docker network rm n1
    docker network create --subnet 10.1.0.0/24 --ipv6 --subnet fd00:1::/64 --internal -o com.docker.network.bridge.gateway_mode_ipv4=isolated -o com.docker.network.bridge.gateway_mode_ipv6=isolated -o com.docker.network.bridge.name=mybr0 n1 | wc -c
    docker network inspect -f '{{json .IPAM.Config}}' n1
    host ip -o addr show mybr0 | grep -v fe80 | wc -l
    docker run --rm --network n1 busybox sh -c 'ip route; ip -6 route | grep default; ip -o addr show eth0 scope global | sed "s/ *valid_lft.*//; s/^[0-9]*: //; s/ flags .*//"'
    docker network rm n1
    docker network create --subnet 10.1.0.0/24 -o com.docker.network.bridge.inhibit_ipv4=true -o com.docker.network.bridge.name=mybr0 n1 | wc -c
    docker network inspect -f '{{json .IPAM.Config}}' n1
    host ip -o -4 addr show mybr0
    docker run --rm --network n1 busybox ip route
    docker network rm n1
    docker network create --subnet 10.1.0.0/24 -o com.docker.network.host_ipv4=10.231.0.1 n1 | wc -c
    docker network rm n1
    docker network ls -q --filter type=custom
  `);
  await session.matches("network-drivers/options");
});

test("gateway modes", async () => {
  const session = new Session(target());
  await session.play(`
    docker network create --subnet 10.1.0.0/24 --ipv6 --subnet fd00:1::/64 -o com.docker.network.bridge.gateway_mode_ipv4=routed -o com.docker.network.bridge.gateway_mode_ipv6=routed n1 | wc -c
    docker run -d --name c1 --network n1 -p 8080:80 -p 81 busybox sh -c 'echo page >/index.html; httpd -p [::]:82 -h /; httpd -f -p [::]:80 -h /' | wc -c
    docker port c1
    docker ps --format '{{.Ports}}'
    docker inspect -f '{{json .NetworkSettings.Ports}}' c1
    ip route replace 10.1.0.0/24 via $HOSTIP; ip -6 route replace fd00:1::/64 via $HOSTIP6
    until_true curl -s -m 2 http://10.1.0.2/
    curl -s -m 5 http://10.1.0.2/
    curl -s -m 5 http://[fd00:1::2]/
    curl -s -m 2 http://10.1.0.2:82/
    curl -s -m 2 http://[fd00:1::2]:82/
    curl -s -m 2 http://$HOSTIP:8080/
    ping -c 1 -W 2 10.1.0.2 | grep -c '1 packets received\\|1 received'
    host curl -s -m 2 http://10.1.0.2:82/
    host curl -s -m 2 http://127.0.0.1:8080/
    docker rm -f c1
    docker run -d --name c1 --network n1 -p 127.0.0.1:8080:80 busybox sleep 1000
    docker port c1
    docker rm -f c1
    docker network rm n1

    # Translated, and open all the same
    docker network create --subnet 10.1.0.0/24 --ipv6 --subnet fd00:1::/64 -o com.docker.network.bridge.gateway_mode_ipv4=nat-unprotected -o com.docker.network.bridge.gateway_mode_ipv6=nat-unprotected n1 | wc -c
    docker run -d --name c1 --network n1 -p 8080:80 busybox sh -c 'echo page >/index.html; httpd -p [::]:82 -h /; httpd -f -p [::]:80 -h /' | wc -c
    docker port c1
    until_true curl -s -m 2 http://$HOSTIP:8080/
    curl -s -m 5 http://$HOSTIP:8080/
    curl -s -m 5 http://10.1.0.2/
    curl -s -m 5 -o /dev/null -w '%{http_code}' http://10.1.0.2:82/
    curl -s -m 5 -o /dev/null -w '%{http_code}' http://[fd00:1::2]:82/
    docker rm -f c1
    docker network rm n1

    # Translated, version 4; routed, version 6
    docker network create --subnet 10.1.0.0/24 --ipv6 --subnet fd00:1::/64 -o com.docker.network.bridge.gateway_mode_ipv6=routed n1 | wc -c
    docker run -d --name c1 --network n1 -p 8080:80 busybox sh -c 'echo page >/index.html; httpd -p [::]:82 -h /; httpd -f -p [::]:80 -h /' | wc -c
    docker port c1
    docker inspect -f '{{json .NetworkSettings.Ports}}' c1
    until_true curl -s -m 2 http://$HOSTIP:8080/
    curl -s -m 5 http://$HOSTIP:8080/
    curl -s -m 5 http://[fd00:1::2]/
    curl -s -m 2 http://10.1.0.2/
    curl -s -m 2 http://[fd00:1::2]:82/
    docker rm -f c1
    docker network rm n1
    ip route del 10.1.0.0/24; ip -6 route del fd00:1::/64
  `);
  await session.matches("network-drivers/modes");
});

test("options of endpoints", async () => {
  const session = new Session(target());
  await session.play(`
    docker network create --subnet 10.1.0.0/24 n1 | wc -c
    docker network create --subnet 10.2.0.0/24 n2 | wc -c
    docker run --rm --network name=n1,driver-opt=com.docker.network.endpoint.ifname=foo0 busybox sh -c 'ip -o -4 addr | cut -d" " -f2,7; ip route'
    docker run --rm --network name=n1,driver-opt=com.docker.network.endpoint.ifname=foo0 --network name=n2,driver-opt=com.docker.network.endpoint.ifname=eth0 busybox sh -c 'ip -o -4 addr | cut -d" " -f2,7 | sort'
    docker run --rm --network name=n1,driver-opt=com.docker.network.endpoint.ifname=eth1 --network name=n2 --network bridge busybox true
    docker run --rm --network name=n1,driver-opt=com.docker.network.endpoint.ifname=foo0 --network name=n2,driver-opt=com.docker.network.endpoint.ifname=foo0 busybox true
    docker run --rm --network name=n1,driver-opt=com.docker.network.endpoint.ifname=averyveryverylongname busybox true
    docker run --rm --network name=n1,driver-opt=com.docker.network.endpoint.ifname=a/b busybox true
    docker run --rm --network name=n1,driver-opt=com.docker.network.endpoint.ifname= busybox true
    docker run --rm --network name=n1,driver-opt=com.docker.network.endpoint.ifname=lo busybox true
    docker run --rm --network name=bridge,driver-opt=com.docker.network.endpoint.ifname=foo0 busybox ip -o -4 addr show foo0 | wc -l
    docker run --rm --network name=n1,\\"driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.conf.IFNAME.forwarding=0\\" busybox sh -c 'cd /proc/sys/net/ipv4/conf/eth0; cat log_martians forwarding'
    docker run --rm --network name=n1,driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.conf.eth0.log_martians=1 busybox true
    docker run --rm --network name=n1,driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.nothere=1 busybox true
    docker run --rm --network name=n1,driver-opt=com.docker.network.endpoint.sysctls=kernel.IFNAME=1 busybox true
    docker run --rm --network name=n1,driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.tcp_syncookies=1 busybox true
    docker run --rm --network name=n1,driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians busybox true
    docker run --rm --network name=n1,driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=x busybox true
    docker run --rm --network name=n1,driver-opt=com.docker.network.endpoint.sysctls= busybox true
    docker run --rm --network name=n1,driver-opt=nonsense=1 busybox echo fine
    docker run --rm --sysctl net.ipv4.conf.eth0.log_martians=1 --network n1 busybox cat /proc/sys/net/ipv4/conf/eth0/log_martians
    docker run -d --name c1 --network n1 busybox sleep 1000 | wc -c
    docker network connect --driver-opt com.docker.network.endpoint.ifname=bar0 --driver-opt com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1 n2 c1
    docker exec c1 sh -c 'ip -o -4 addr | cut -d" " -f2,7; cat /proc/sys/net/ipv4/conf/bar0/log_martians'
    docker inspect -f '{{json (index .NetworkSettings.Networks "n2").DriverOpts}}' c1
    docker network disconnect n2 c1
    docker network connect --driver-opt com.docker.network.endpoint.ifname=eth0 n2 c1 2>&1 | sed 's/veth[0-9a-f]*/VETH/'
    docker network connect --driver-opt com.docker.network.endpoint.sysctls=x n2 c1
    docker exec c1 ip -o -4 addr | cut -d' ' -f2,7

    # The highest priority has the gateway; then the name decides
    docker network connect --gw-priority 5 n2 c1
    docker exec c1 ip route | grep default
    docker network disconnect n2 c1
    docker exec c1 ip route | grep default
    docker network connect --gw-priority -5 n2 c1
    docker exec c1 ip route | grep default
    docker rm -f c1
    docker run --rm --network name=n1 --network name=n2,gw-priority=1 busybox ip route | grep default
    docker run --rm --network n1 --network n1 busybox true
    docker run --rm --network n1 --network host busybox true
    docker run --rm --network n1 --link-local-ip 169.254.8.8 busybox ip -o -4 addr show eth0 | cut -d' ' -f7
    docker run --rm --network n1 --link-local-ip 10.0.0.8 busybox true
    docker run --rm --network n1 --mac-address nonsense busybox true
    docker run --rm --network n1 --mac-address 01:00:5e:00:00:01 busybox true

    # Without any network
    docker run -d --name bare --network n1 busybox sleep 1000 | wc -c
    docker network disconnect n1 bare
    docker inspect -f '{{json .NetworkSettings.Networks}} {{.HostConfig.NetworkMode}}' bare
    docker restart -t 0 bare
    docker inspect -f '{{json .NetworkSettings.Networks}}' bare
    docker exec bare sh -c 'ip -o addr | cut -d" " -f2,7; cat /etc/resolv.conf | grep -v "^#"; grep -v ip6 /etc/hosts'
    docker stop -t 0 bare
    docker inspect -f '{{json .NetworkSettings.Networks}}' bare
    docker start bare
    docker inspect -f '{{json .NetworkSettings.Networks}}' bare
    docker network connect n2 bare
    docker exec bare ip route
    docker rm -f bare
    docker create --name bare --network n1 -p 80 busybox sleep 1000 | wc -c
    docker network disconnect n1 bare
    docker start bare
    docker inspect -f '{{json .NetworkSettings.Networks}} {{json .NetworkSettings.Ports}}' bare
    docker rm -f bare
    docker network rm n1 n2

    # Where older clients look for the MAC address
    docker run -d --name mac --mac-address 02:42:0a:00:00:09 busybox sleep 1000 | wc -c
    docker run -d --name nomac busybox sleep 1000 | wc -c
    api GET /v1.43/containers/mac/json | grep -o '"MacAddress":"[^"]*"'
    api GET /v1.44/containers/mac/json | grep -o '"MacAddress":"[^"]*"'
    api GET /v1.43/containers/nomac/json | grep -o '"MacAddress":"[^"]*"'
    api GET /v1.44/containers/nomac/json | grep -o '"MacAddress":"[^"]*"'
    docker stop -t 0 mac nomac
    api GET /v1.43/containers/mac/json | grep -o '"MacAddress":"[^"]*"'
    api GET /v1.43/containers/nomac/json | grep -o '"MacAddress":"[^"]*"'
    docker rm -f mac nomac
  `);
  await session.matches("network-drivers/endpoints");
});

test("configurations, and what is not for one host", async () => {
  const session = new Session(target());
  await session.play(`
    docker network create --config-only --subnet 10.1.0.0/24 --gateway 10.1.0.9 -o com.docker.network.driver.mtu=1280 --label a=b conf | wc -c
    docker network inspect conf | sed 's/"Created": ".*"/"Created": "T"/'
    docker network ls --filter type=custom --format '{{.Name}} {{.Driver}} {{.Scope}}'
    docker run --rm --network conf busybox true
    docker network create --config-from conf n1 | wc -c
    docker network inspect n1 | sed 's/"Created": ".*"/"Created": "T"/'
    docker run --rm --network n1 busybox sh -c 'ip route; cat /sys/class/net/eth0/mtu'
    docker network rm conf 2>&1 | sed 's/"[0-9a-z]\\{25\\}"/ID/'
    docker network prune -f
    docker network create --config-from conf n1 | wc -c
    docker network create --config-from conf --label c=d n2
    docker network create --config-from conf --subnet 10.2.0.0/24 n2
    docker network create --config-from conf -o x=y n2
    docker network create --config-from conf --ipv6 n2
    docker network create --config-from conf --internal n2 2>&1
    docker network create --config-from nothere n2
    docker network create --config-from n1 n2
    docker network create --config-from bridge n2
    docker network create --config-only --config-from conf n2
    docker network create --config-only -d bridge n2 | wc -c
    docker network create --config-only -d macvlan n3
    docker network create --config-only --internal n4 | wc -c
    docker network create --config-only --ipv6 n5 | wc -c
    docker network create --config-only --attachable n6
    docker network create --config-only --subnet 10.1.0.7/24 n7
    docker network create --config-only conf
    docker network rm n1 n2 n3 n4 n5 n6 n7
    docker network rm conf

    # Overlay and swarm
    docker network create -d overlay o1
    docker network create -d overlay --attachable o1
    docker network create -d overlay --scope local o1
    docker network create -d null o1
    docker network create -d none o1
    docker network create --ingress -d overlay o1
  `);
  await session.matches("network-drivers/configurations");
});

test("macvlan and ipvlan", async () => {
  const session = new Session(target());
  await session.play(`
    host ip link add lan0 type veth peer name far0; host ip link set lan0 up; host ip link set far0 up; host ip addr add 10.50.0.1/24 dev far0
    docker network create -d macvlan -o parent=lan0 --subnet 10.50.0.0/24 --gateway 10.50.0.1 m1 | wc -c
    docker network inspect m1 | sed 's/"Created": ".*"/"Created": "T"/'
    docker run -d --name c1 --network m1 -p 8080:80 busybox sleep 1000 | wc -c
    docker exec c1 sh -c 'ip -o -4 addr show eth0 | cut -d" " -f7; ip route'
    docker exec c1 ping -c 1 -W 2 10.50.0.1 | grep -c '1 packets received'
    docker port c1
    docker inspect -f '{{with index .NetworkSettings.Networks "m1"}}{{.IPAddress}} {{.Gateway}} {{.IPPrefixLen}}{{end}} {{json .NetworkSettings.Ports}}' c1
    docker run -d --name c2 --network m1 --ip 10.50.0.77 --mac-address 02:42:0a:32:00:77 busybox sleep 1000 | wc -c
    docker exec c2 ping -c 1 -W 2 c1 | grep -c '1 packets received'
    docker exec c2 cat /sys/class/net/eth0/address | grep -c 77
    docker network create -d macvlan -o parent=lan0 --subnet 10.51.0.0/24 m2 2>&1 | sed 's/dm-[0-9a-f]*/DM/'
    docker network create --subnet 10.3.0.0/24 b1 | wc -c
    docker network connect b1 c1
    docker exec c1 ip -o -4 addr | cut -d' ' -f2,7 | sort
    docker exec c1 ip route | grep default
    docker network disconnect m1 c1
    docker exec c1 ip -o -4 addr | cut -d' ' -f2,7 | sort
    docker network connect --ip 10.50.0.9 m1 c1
    docker exec c1 ip -o -4 addr | cut -d' ' -f2,7 | sort
    docker exec c1 ping -c 1 -W 2 10.50.0.77 | grep -c '1 packets received'
    docker restart -t 0 c1
    docker exec c1 ip -o -4 addr | cut -d' ' -f7 | sort | sed 's/^10.3.0.[0-9]*/BRIDGE/'
    docker rm -f c1 c2
    docker network rm m1 m2 b1
    host ip link show lan0 | grep -c lan0

    # Modes and refusals
    docker network create -d macvlan -o parent=lan0 -o macvlan_mode=private --subnet 10.50.0.0/24 m1 | wc -c
    docker run --rm --network m1 busybox ip -o -4 addr show eth0 | cut -d' ' -f7
    docker network rm m1
    docker network create -d macvlan -o parent=lan0 -o macvlan_mode=vepa --subnet 10.50.0.0/24 m1 | wc -c
    docker network rm m1
    docker network create -d macvlan -o parent=lan0 -o macvlan_mode=passthru --subnet 10.50.0.0/24 m1 | wc -c
    docker run -d --name c1 --network m1 busybox sleep 1000 | wc -c
    docker run --rm --network m1 busybox true 2>&1 | sed 's/veth[0-9a-f]*/VETH/'
    docker network create -d macvlan -o parent=lan0 --subnet 10.52.0.0/24 m2
    docker rm -f c1
    docker network rm m1 m2
    docker network create -d macvlan -o parent=lan0 -o macvlan_mode=nonsense m1
    docker network create -d macvlan -o parent=nothere --subnet 10.50.0.0/24 m1
    docker network create -d macvlan -o parent=lo --subnet 10.50.0.0/24 m1
    docker network create -d macvlan -o parent=lan0.0 --subnet 10.50.0.0/24 m1
    docker network create -d macvlan -o parent=lan0.5000 --subnet 10.50.0.0/24 m1
    docker network create -d macvlan -o parent=lan0.x --subnet 10.50.0.0/24 m1
    docker network create -d macvlan -o nonsense=x -o parent=lan0 --subnet 10.50.0.0/24 m1
    docker network rm m1
    docker network create -d macvlan -o parent=lan0 --subnet 10.50.0.0/24 --internal m1 | wc -c
    docker run --rm --network m1 busybox ip route
    docker network rm m1
    docker network create -d macvlan -o parent=lan0 --ipv6 --subnet 10.50.0.0/24 --subnet fd00:50::/64 --gateway fd00:50::1 m1 | wc -c
    docker run --rm --network m1 busybox sh -c 'ip route; ip -6 route | grep default; ip -o -6 addr show eth0 scope global | cut -d" " -f7'
    docker network rm m1
    api POST /v1.51/networks/create '{"Name":"m1","Driver":"macvlan","Options":{"parent":"lan0"},"IPAM":{"Config":[{"Subnet":"10.50.0.0/24"},{"Subnet":"10.51.0.0/24"}]}}' | tail -1
    docker network inspect -f '{{json .IPAM.Config}}' m1
    docker run --rm --network m1 busybox sh -c 'ip -o -4 addr show eth0 | cut -d" " -f7; ip route'
    docker run --rm --network m1 --ip 10.51.0.9 busybox sh -c 'ip -o -4 addr show eth0 | cut -d" " -f7; ip route'
    docker network rm m1
    docker network create -d ipvlan -o ipvlan_mode=nonsense -o parent=lan0 i1
    docker network create -d ipvlan -o ipvlan_flag=nonsense -o parent=lan0 i1
    docker network create -d ipvlan -o parent=nothere i1
    docker network ls -q --filter type=custom
    host ip link del lan0
  `);
  await session.matches("network-drivers/vlan");
});
