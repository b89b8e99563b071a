/** HPACK's Huffman code. Source: RFC 7541, appendix B, whose code is canonical: the lengths say it all. */

/** Bits of each byte's code; the last entry is the end of a string. */
const lengths = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];
const endOfString = 256;

/** A node is its two followers, or a symbol. */
type Node = [Node | number | undefined, Node | number | undefined];

const root = makeTree();

function makeTree(): Node {
  const tree: Node = [undefined, undefined];
  const symbols = [...lengths.keys()].sort((a, b) => (lengths[a] as number) - (lengths[b] as number) || a - b);
  let code = 0;
  let length = 0;
  for (const symbol of symbols) {
    const bits = lengths[symbol] as number;
    code *= 2 ** (bits - length);
    length = bits;
    insert(tree, code, bits, symbol);
    code++;
  }
  return tree;
}

function insert(tree: Node, code: number, bits: number, symbol: number): void {
  let node = tree;
  for (let bit = bits - 1; bit > 0; bit--) {
    const side = (code >>> bit) & 1;
    node[side] ??= [undefined, undefined];
    node = node[side] as Node;
  }
  node[code & 1] = symbol;
}

/** Throws for what is no such code. */
export function decodeHuffman(bytes: Uint8Array): Buffer {
  const decoded: number[] = [];
  let node = root;
  /** Bits since the last symbol, and whether all were ones: the padding at the end is. */
  let pending = 0;
  let ones = true;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      const side = (byte >>> bit) & 1;
      const next = node[side];
      pending++;
      ones &&= side === 1;
      if (typeof next === "object") {
        node = next;
        continue;
      }
      if (next === undefined || next === endOfString) throw new Error("invalid Huffman code");
      decoded.push(next);
      node = root;
      pending = 0;
      ones = true;
    }
  }
  if (pending > 7 || !ones) throw new Error("invalid padding of a Huffman code");
  return Buffer.from(decoded);
}
