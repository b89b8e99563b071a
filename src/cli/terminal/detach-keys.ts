/** Detach keys: `ctrl-p,ctrl-q` typed in a terminal ends the attachment and leaves the container running. */

export const defaultDetachKeys = "ctrl-p,ctrl-q";

/** Looks for the key sequence in what is typed, across chunks; a begun sequence is held back until it is clear what it is. */
export class DetachScanner {
  private readonly keys: Uint8Array;
  private matched = 0;

  constructor(keys: Uint8Array) {
    this.keys = keys;
  }

  /** What to send on, and whether the sequence is complete (bytes after it are dropped). */
  scan(chunk: Uint8Array): { pass: Uint8Array; detached: boolean } {
    const { keys } = this;
    if (keys.length === 0) return { pass: chunk, detached: false };
    if (this.matched === 0 && !chunk.includes(keys[0] ?? 0)) return { pass: chunk, detached: false };
    const pass: number[] = [];
    for (const byte of chunk) {
      if (byte !== keys[this.matched] && this.matched > 0) {
        pass.push(...keys.subarray(0, this.matched));
        this.matched = 0;
      }
      if (byte !== keys[this.matched]) {
        pass.push(byte);
        continue;
      }
      this.matched++;
      if (this.matched === keys.length) return { pass: Uint8Array.from(pass), detached: true };
    }
    return { pass: Uint8Array.from(pass), detached: false };
  }
}
