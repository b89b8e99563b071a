/** Identifiers as Docker makes them: 64 hexadecimal digits, shown as the first 12. */

/** A new random 64-digit id. Never all-numeric in its first 12 digits, so that its short form cannot be read as a number. */
export function newId(): string {
  for (;;) {
    // Not node:crypto, which is slow to load: the CLI imports this file too.
    const id = crypto.getRandomValues(new Uint8Array(32)).toHex();
    if (/[a-f]/.test(id.slice(0, 12))) return id;
  }
}

export function shortId(id: string): string {
  return id.replace(/^sha256:/, "").slice(0, 12);
}
