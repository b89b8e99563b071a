/** Where Gantry differs from Docker 28 on purpose, and why. Everything else must be the same to the letter. */

export interface Difference {
  /** Golden file without `.txt`. */
  golden: string;
  docker: string | RegExp;
  gantry: string;
  why: string;
}

export const differences: Difference[] = [
  {
    golden: "run/process",
    docker: "fd\nfull\n",
    gantry: "core\nfd\nfull\n",
    why: "crun makes /dev/core, a link to /proc/kcore, where runc does so only if the kernel has that file",
  },
  {
    golden: "run/process",
    docker: "/proc/sys proc ro,nosuid,nodev,noexec,relatime",
    gantry: "/proc/sys proc ro,relatime",
    why: "crun's read-only bind mounts do not repeat the flags of the mount they cover",
  },
  {
    golden: "cp/cp",
    docker: "docker exec cc ls /dev/shm\n",
    gantry: "docker exec cc ls /dev/shm\nx\n",
    why: "Gantry copies into the running container's own mounts, dockerd below its tmpfs, where nobody sees the file",
  },
  {
    golden: "cp/cp",
    docker:
      "! Error response from daemon: Could not find the file /proc/version in container cc\n! tar: This does not look like a tar archive\n! tar: Exiting with failure status due to previous errors\n[2]\n",
    gantry: "version\n",
    why: "the same: /proc of a running container is there",
  },
  {
    golden: "cp/cp",
    docker: "A /dev/shm/x\n",
    gantry: "",
    why: "the same: a tmpfs is no change of the container",
  },
  {
    golden: "cp/cp",
    docker: "C /dev\nC /dev/shm\n",
    gantry: "",
    why: "the same",
  },
  {
    golden: "compose/old",
    docker: "|| echo failed\nfailed\n",
    gantry: "|| echo failed\n",
    why: "docker-compose 1.29 cannot recreate a container with dockerd 25 or newer; Gantry gives it the field that it misses",
  },
  {
    golden: "compose/old",
    docker: "echo $COLOUR'\n[1]\n",
    gantry: "echo $COLOUR'\ngreen\n",
    why: "the same: the container is the new one",
  },
  {
    golden: "system/about",
    docker: " inactive false false\n",
    gantry: " inactive true false\n",
    why: "containers always live on without Gantry's daemon: LiveRestoreEnabled cannot be turned off",
  },
  {
    golden: "system/errors",
    docker: 'parsing \\"x\\": invalid syntax"}\n\n500',
    gantry: 'parsing \\"x\\": invalid syntax"}\n\n400',
    why: "a limit that is no number is the client's mistake, not the daemon's",
  },
  {
    golden: "system/shapes",
    docker: /(?<!LowerDir: string\n)^\.GraphDriver\.Data\.MergedDir: string\n(.*UpperDir.*\n).*WorkDir.*\n/gm,
    gantry: "$1",
    why: "a layer of an image has one directory in Gantry; dockerd tells of places where it could be mounted, which are not there",
  },
  {
    golden: "images/archive",
    docker: /open <root>.*repositories: no such file or directory/,
    gantry: "invalid archive: it has no manifest.json, index.json or repositories",
    why: "dockerd tells of a directory of its own, and nothing of what is wrong with the archive",
  },
  {
    golden: "images/fields",
    docker: /^\.GraphDriver\.Data\.(?:MergedDir|WorkDir): string\n/gm,
    gantry: "",
    why: "as in system/shapes: the directories of a layer of an image",
  },
  {
    golden: "network-drivers/options",
    docker: /Failed to Setup IP tables: .*\n.*\n.*exit status 2\)\)/,
    gantry: "failed to parse com.docker.network.host_ipv4 value: fd00::1 (not an IPv4 address)",
    why: "dockerd finds out when iptables refuses the rule",
  },
  ...["averyveryverylongname", "a b", "a/b", "."].map((name) => ({
    golden: "network-drivers/options",
    docker: new RegExp(
      `(bridge\\.name='?${name.replace(".", "\\.")}'? n1\\n! Error response from daemon: )(?:numerical result out of range|invalid argument)`,
    ),
    gantry: `$1invalid bridge name ${JSON.stringify(name)}: at most 15 characters, no space, slash, colon, quote or percent sign`,
    why: "dockerd passes on what the kernel says, and not of what",
  })),
  {
    golden: "inspect/ps",
    docker: /, \[::\]:53->53\/udp|^(?:53\/udp -> )?\[::\]:53\n/gm,
    gantry: "",
    why: "a container without an address of version 6 is not published on [::], which takes dockerd a proxy process",
  },
  {
    golden: "inspect/fields",
    docker: ',{"HostIp":"::","HostPort":"8080"}',
    gantry: "",
    why: "the same",
  },
  {
    golden: "corpus/copy",
    docker: /<root>\/data\/overlay2\/<id>\/merged/g,
    gantry: "",
    why: "paths are told as the image sees them",
  },
  {
    golden: "corpus/copy",
    docker: /open <root>\/data\/overlay2\/<id>\/diff\/etc\/passwd: no such file or directory/,
    gantry: "no such user: ann",
    why: "the same",
  },
  {
    golden: "corpus/copy",
    docker: "/m/2711 f 711 0:0 5 2e0b68c30e50\n/m/4755 f 755 0:0 5 c18908c45bfc",
    gantry: "/m/2711 f 2711 0:0 5 2e0b68c30e50\n/m/4755 f 4755 0:0 5 c18908c45bfc",
    why: "dockerd's classic builder changes the owner last, which takes these bits away; BuildKit keeps them, and so does Gantry",
  },
  {
    golden: "corpus/copy",
    docker: "/cap f 644 0:0 2 87428fc52280\n",
    gantry: "/cap f 644 0:0 2 87428fc52280 security.capability=0100000200200000000000000000000000000000\n",
    why: "the same",
  },
  {
    golden: "corpus/add",
    docker: /(=== add-tar-chown\n.*\n.*\n)(?:\/t.*\n)+/,
    gantry: [
      "$1/t d 755 7:8",
      "/t/a f 644 7:8 2 87428fc52280",
      "/t/dir d 755 7:8",
      "/t/dir/run.sh f 755 7:8 10 a8076d3d28d2",
      "/t/dir/sub d 755 7:8",
      "/t/dir/sub/y f 600 7:8 2 3bb2abb69ebb",
      "/t/dir/x f 644 7:8 2 73cb3858a687\n",
    ].join("\n"),
    why: "the owner that is asked for is also that of what an archive holds, as with BuildKit",
  },
  {
    golden: "corpus/add",
    docker: /error setting up pivot dir: mkdir .*: not a directory/,
    gantry: "mkdir /etc/passwd: not a directory",
    why: "dockerd tells of a directory of its own",
  },
  {
    golden: "corpus/run",
    docker: "+ |0 /bin/sh",
    gantry: "+ /bin/sh",
    why: "arguments of which none is recorded are no part of the record",
  },
  {
    golden: "inspect/fields",
    docker: '"Runtime":"runc"',
    gantry: '"Runtime":"crun"',
    why: "Gantry's default runtime is crun",
  },
];

/** What Gantry is to say where Docker said `expected`. */
export function gantryDiffers(golden: string, expected: string): string {
  return differences
    .filter((difference) => difference.golden === golden)
    .reduce((text, { docker, gantry }) => text.replace(docker, gantry), expected);
}
