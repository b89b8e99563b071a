/** Root file systems for test images, made from Debian's own packages: no registry is needed. */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { must } from "./run.ts";
import { cacheDirectory } from "./settings.ts";

const busyboxSource = "/bin/busybox";

/** A tar archive with a static busybox, its applets and the usual files of /etc. */
export async function busyboxArchive(): Promise<string> {
  const archive = join(cacheDirectory, "busybox.tar");
  if (existsSync(archive)) return archive;
  mkdirSync(cacheDirectory, { recursive: true });
  const root = mkdtempSync(join(cacheDirectory, "busybox-"));
  for (const directory of ["bin", "dev", "etc", "home", "proc", "root", "sys", "tmp", "usr/bin", "var/spool"]) {
    mkdirSync(join(root, directory), { recursive: true });
  }
  chmodSync(join(root, "tmp"), 0o1777);
  chmodSync(root, 0o755);
  cpSync(busyboxSource, join(root, "bin/busybox"));
  for (const applet of (await must([busyboxSource, "--list"])).split("\n")) {
    if (applet !== "busybox") symlinkSync("busybox", join(root, "bin", applet));
  }
  writeFileSync(
    join(root, "etc/passwd"),
    "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/:/bin/false\nann:x:1000:1000::/home:/bin/sh\n",
  );
  writeFileSync(join(root, "etc/group"), "root:x:0:\ndaemon:x:1:\nann:x:1000:\nstaff:x:50:ann\naudio:x:29:\n");
  const draft = `${root}.tar`;
  await must(["tar", "-C", root, "--owner=0", "--group=0", "--numeric-owner", "-cf", draft, "."]);
  renameSync(draft, archive);
  rmSync(root, { recursive: true });
  return archive;
}
