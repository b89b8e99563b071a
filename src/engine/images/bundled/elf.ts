/** How a program wants to be started, by the program headers of its ELF file. Source: elf(5). */

/** The path of the dynamic linker that the program asks for (PT_INTERP); undefined for a static one. */
export function interpreterOf(program: Buffer): string | undefined {
  const wide = program[4] === 2;
  const start = wide ? Number(program.readBigUInt64LE(32)) : program.readUInt32LE(28);
  const entrySize = program.readUInt16LE(wide ? 54 : 42);
  const count = program.readUInt16LE(wide ? 56 : 44);
  for (let at = start; at < start + count * entrySize; at += entrySize) {
    if (program.readUInt32LE(at) !== 3) continue;
    const offset = wide ? Number(program.readBigUInt64LE(at + 8)) : program.readUInt32LE(at + 4);
    return program.toString("latin1", offset, program.indexOf(0, offset));
  }
  return undefined;
}

/** A little-endian ELF program without interpreter. */
export function isStatic(program: Buffer): boolean {
  const isElf = program.toString("latin1", 0, 4) === "\x7fELF" && program[5] === 1;
  return isElf && interpreterOf(program) === undefined;
}
