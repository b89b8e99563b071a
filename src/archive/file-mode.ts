/** `--chmod` of COPY and ADD: a mode in octal, or symbolic as chmod(1) understands it (with a umask of 0, as BuildKit has). */
import { invalidArgument } from "../base/errors.ts";

/** Gives the new permission bits for those of a file. */
export type ModeChange = (mode: number, isDirectory: boolean) => number;

const shifts: Record<string, number> = { u: 6, g: 3, o: 0 };
const setId: Record<string, number> = { u: 0o4000, g: 0o2000, o: 0 };

/** Throws BuildKit's words for what is neither. */
export function parseMode(text: string): ModeChange {
  if (/^[0-9]/.test(text)) {
    if (!/^0*[0-7]{1,4}$/.test(text)) {
      throw invalidArgument(`invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`);
    }
    const bits = Number.parseInt(text, 8);
    return () => bits;
  }
  const changes = text.split(",").flatMap(parseClause);
  return (mode, isDirectory) => changes.reduce((bits, change) => change(bits, isDirectory), mode & 0o7777);
}

/** `ug+rw-x`: several operations on the same classes. */
function parseClause(clause: string): ModeChange[] {
  const [, who = "", rest = ""] = /^([ugoa]*)((?:[-+=](?:[ugo]|[rwxXst]*))+)$/.exec(clause) ?? [];
  if (rest === "") throw invalidArgument("invalid syntax");
  const classes = who === "" || who.includes("a") ? "ugo" : who;
  return [...rest.matchAll(/([-+=])([^-+=]*)/g)].map(([, operation, permissions = ""]) => (mode, isDirectory) => {
    const bits = select(permissions, classes, mode, isDirectory);
    if (operation === "+") return mode | bits;
    if (operation === "-") return mode & ~bits;
    return (mode & ~everything(classes)) | bits;
  });
}

/** The bits that the permissions name, of these classes. */
function select(permissions: string, classes: string, mode: number, isDirectory: boolean): number {
  const copied = shifts[permissions];
  let common = copied === undefined ? 0 : (mode >> copied) & 7;
  if (permissions.includes("r")) common |= 4;
  if (permissions.includes("w")) common |= 2;
  if (permissions.includes("x") || (permissions.includes("X") && (isDirectory || (mode & 0o111) !== 0))) common |= 1;
  let bits = permissions.includes("t") && classes === "ugo" ? 0o1000 : 0;
  for (const one of classes) {
    bits |= common << (shifts[one] ?? 0);
    if (permissions.includes("s")) bits |= setId[one] ?? 0;
  }
  return bits;
}

function everything(classes: string): number {
  let bits = classes === "ugo" ? 0o1000 : 0;
  for (const one of classes) bits |= (7 << (shifts[one] ?? 0)) | (setId[one] ?? 0);
  return bits;
}
