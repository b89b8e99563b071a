/** Finds the detach key sequence in a terminal's input. Bytes that may be its beginning are held back until that is decided. */

export const defaultDetachKeys = Uint8Array.of(16, 17); // ctrl-p, ctrl-q

export class DetachScanner {
  private readonly keys: Uint8Array;
  private matched = 0;

  constructor(keys: Uint8Array) {
    this.keys = keys;
  }

  /** `pass` is to be forwarded; nothing after the sequence is. */
  scan(chunk: Uint8Array): { pass: Uint8Array; detached: boolean } {
    if (this.matched === 0 && !chunk.includes(this.keys[0] as number)) return { pass: chunk, detached: false };
    const pass: number[] = [];
    for (const byte of chunk) {
      if (byte === this.keys[this.matched]) {
        if (++this.matched === this.keys.length) return { pass: Uint8Array.from(pass), detached: true };
        continue;
      }
      this.mismatch(byte, pass);
    }
    return { pass: Uint8Array.from(pass), detached: false };
  }

  /** Gives back the held bytes but for the longest tail that may begin the sequence anew. */
  private mismatch(byte: number, pass: number[]): void {
    const held = [...this.keys.subarray(0, this.matched), byte];
    for (let length = this.matched; length > 0; length--) {
      if (held.slice(-length).every((value, index) => value === this.keys[index])) {
        pass.push(...held.slice(0, -length));
        this.matched = length;
        return;
      }
    }
    pass.push(...held);
    this.matched = 0;
  }
}
