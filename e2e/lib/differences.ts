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
];

/** What Gantry is to say where Docker said `expected`. */
export function gantryDiffers(golden: string, expected: string): string {
  return differences
    .filter((difference) => difference.golden === golden)
    .reduce((text, { docker, gantry }) => text.replace(docker, gantry), expected);
}
