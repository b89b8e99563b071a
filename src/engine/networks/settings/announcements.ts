/** How often and how fast a container's interface tells its neighbours its addresses, read with dockerd's messages. Pure. */
import { internal } from "../../../base/errors.ts";
import type { Announcements } from "../../../linux/network/announcement.ts";

const prefix = "com.docker.network.advertise_addr";
export const announcementOptions = { count: `${prefix}_nmsgs`, interval: `${prefix}_ms` } as const;
/** As RFC 5227 and 4861 have it. */
const standard: Announcements = { count: 3, intervalMillis: 1000 };

/** Throws `internal`, as dockerd. */
export function announcementsOf(options: Record<string, string>): Announcements {
  const problems: string[] = [];
  const read = (name: string, kind: string, least: number, most: number) => {
    const text = options[name];
    if (text === undefined) return undefined;
    const value = Number(text);
    if (!/^[+-]?\d+$/.test(text)) problems.push(`value for option ${name} ${JSON.stringify(text)} must be ${kind}`);
    else if (value < least || value > most) problems.push(`${name} must be in the range ${least} to ${most}`);
    return value;
  };
  const count = read(announcementOptions.count, "an integer", 0, 3) ?? standard.count;
  const intervalMillis =
    read(announcementOptions.interval, "integer milliseconds", 100, 2000) ?? standard.intervalMillis;
  if (problems.length > 0) throw internal(problems.join("\n"));
  return { count, intervalMillis };
}
