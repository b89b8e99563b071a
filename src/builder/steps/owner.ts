/** `--chown` and `--chmod` of COPY and ADD. Names are those of the image that is copied into. moby: builder/dockerfile/internals_linux.go */
import { invalidArgument } from "../../base/errors.ts";
import { readTextInRoot } from "../../linux/resolve.ts";

export interface Owner {
  uid: number;
  gid: number;
}

const unable = "unable to convert uid/gid chown string to host mapping";

/** `user[:group]`; without a group, the group of the user's name or number. Throws Docker's words for names that are not there. */
export function resolveOwner(rootfs: string | undefined, chown: string): Owner {
  const parts = chown.split(":");
  if (parts.length > 2) throw invalidArgument(`${unable}: invalid chown string format: ${chown}`);
  const [user = "", group = user] = parts;
  return {
    uid: lookup(rootfs, "/etc/passwd", user, "user"),
    gid: lookup(rootfs, "/etc/group", group, "group"),
  };
}

function lookup(rootfs: string | undefined, file: string, name: string, kind: "user" | "group"): number {
  if (/^\d+$/.test(name)) return Number(name);
  const rows = ((rootfs && readTextInRoot(rootfs, file)) ?? "").split("\n").map((line) => line.trim().split(":"));
  const id = rows.find(([entry]) => entry === name)?.[2];
  if (id === undefined || !/^\d+$/.test(id)) {
    throw invalidArgument(
      `${unable}: can't find ${kind === "user" ? "uid" : "gid"} for ${kind} ${name}: no such ${kind}: ${name}`,
    );
  }
  return Number(id);
}
