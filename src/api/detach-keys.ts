/** The key sequence that detaches from a terminal: `ctrl-p,ctrl-q`. Source: docker/cli, `--detach-keys`. */
import { invalidArgument } from "../base/errors.ts";

const controls: Record<string, number> = { "@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, _: 31 };

/** Keys as the bytes a terminal sends. An empty text is no sequence. Throws `invalid-argument`. */
export function parseDetachKeys(text: string): Uint8Array {
  if (text === "") return new Uint8Array();
  return Uint8Array.from(text.split(",").map(parseKey));
}

function parseKey(key: string): number {
  if (key.length === 1) return key.charCodeAt(0);
  const control = /^ctrl-(.)$/.exec(key)?.[1];
  if (control !== undefined && /[a-z]/.test(control)) return control.charCodeAt(0) - 96;
  const code = control === undefined ? undefined : controls[control];
  if (code === undefined) throw invalidArgument(`Invalid escape keys (${key}) provided`);
  return code;
}
