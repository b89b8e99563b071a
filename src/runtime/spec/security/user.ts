/** Users and groups as the image's own /etc/passwd and /etc/group define them, read without leaving the image. */
import { internal } from "../../../base/errors.ts";
import { splitOnce } from "../../../base/text.ts";
import { readTextInRoot } from "../../../linux/resolve.ts";

export interface ResolvedUser {
  uid: number;
  gid: number;
  /** As dockerd has them: the gid itself first. */
  additionalGids: number[];
  /** Home directory; `/` for a uid without an entry. */
  home: string;
}

interface PasswdEntry {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

interface GroupEntry {
  name: string;
  gid: number;
  members: string[];
}

const maxId = 2 ** 31 - 1;

/**
 * Resolves `user[:group]` and `--group-add` inside a root directory. Numbers need no entry. Throws Docker's messages for names that
 * are not there.
 */
export function resolveUser(rootfs: string, userSpec = "", groupAdd: readonly string[] = []): ResolvedUser {
  const [userName = "", groupName = ""] = splitOnce(userSpec, ":");
  const passwd = parsePasswd(readTextInRoot(rootfs, "/etc/passwd") ?? "");
  const groups = parseGroups(readTextInRoot(rootfs, "/etc/group") ?? "");
  const entry = findUser(passwd, userName);
  const uid = entry?.uid ?? numericId(userName);
  if (uid === undefined) {
    throw internal(`unable to find user ${userName}: no matching entries in passwd file`);
  }
  // A group that was named replaces both the primary group and those that list the user.
  const gid = groupName === "" ? (entry?.gid ?? 0) : groupId(groups, groupName);
  const memberships =
    groupName === "" && entry !== undefined
      ? groups.filter((group) => group.members.includes(entry.name)).map((group) => group.gid)
      : [];
  const added = groupAdd.map((name) => groupId(groups, name));
  return { uid, gid, additionalGids: [...new Set([gid, ...memberships, ...added])], home: entry?.home || "/" };
}

function findUser(passwd: PasswdEntry[], name: string): PasswdEntry | undefined {
  if (name === "") return passwd.find((entry) => entry.uid === 0) ?? { name: "root", uid: 0, gid: 0, home: "/" };
  // A user whose name is a number wins over that uid.
  return passwd.find((entry) => entry.name === name) ?? passwd.find((entry) => String(entry.uid) === name);
}

function groupId(groups: GroupEntry[], name: string): number {
  const entry = groups.find((group) => group.name === name) ?? groups.find((group) => String(group.gid) === name);
  const gid = entry?.gid ?? numericId(name);
  if (gid === undefined) throw internal(`unable to find group ${name}: no matching entries in group file`);
  return gid;
}

function numericId(text: string): number | undefined {
  if (!/^-?\d+$/.test(text)) return undefined;
  const id = Number(text);
  if (id < 0 || id > maxId) throw internal(`uids and gids must be in range 0-${maxId}`);
  return id;
}

function parsePasswd(text: string): PasswdEntry[] {
  return rows(text).flatMap(([name = "", , uid, gid, , home = ""]) =>
    uid === undefined || gid === undefined ? [] : [{ name, uid: Number(uid), gid: Number(gid), home }],
  );
}

function parseGroups(text: string): GroupEntry[] {
  return rows(text).flatMap(([name = "", , gid, members = ""]) =>
    gid === undefined ? [] : [{ name, gid: Number(gid), members: members.split(",").filter(Boolean) }],
  );
}

function rows(text: string): string[][] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(":"));
}
