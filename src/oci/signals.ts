/** Signal names and numbers of Linux, as Docker accepts them: `SIGTERM`, `term`, `15`, `SIGRTMIN+3`. */
import { constants } from "node:os";
import { invalidArgument } from "../base/errors.ts";

const realtimeFirst = 34;
const realtimeLast = 64;

export const signalNumber = constants.signals;

/** Throws `invalid-argument` with Docker's message. */
export function parseSignal(text: string): number {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    if (number === 0 || number > realtimeLast) throw invalidArgument(`invalid signal: ${text}`);
    return number;
  }
  const name = text.toUpperCase().replace(/^SIG/, "");
  const known = (constants.signals as Record<string, number>)[`SIG${name}`];
  if (known !== undefined) return known;
  const realtime = /^RTM(IN(?:\+(\d+))?|AX(?:-(\d+))?)$/.exec(name);
  if (!realtime) throw invalidArgument(`invalid signal: ${text}`);
  const number = name.startsWith("RTMIN")
    ? realtimeFirst + Number(realtime[2] ?? 0)
    : realtimeLast - Number(realtime[3] ?? 0);
  if (number < realtimeFirst || number > realtimeLast) throw invalidArgument(`invalid signal: ${text}`);
  return number;
}
