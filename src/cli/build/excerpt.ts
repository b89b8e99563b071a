/** Lines of a Dockerfile that a message is about, as buildx shows them. */
import type { Location } from "../../dockerfile/instructions.ts";

/** The lines with some around them. buildkit: solver/errdefs/source.go */
export function excerpt(
  name: string,
  text: string,
  { startLine, endLine }: Pick<Location, "startLine" | "endLine">,
): string {
  const lines = text.split("\n");
  const wanted = startLine === endLine ? 4 : 2;
  let [from, to] = [startLine, endLine];
  for (let added = 0; added < wanted; added++) {
    if (from > 1) {
      from--;
      added++;
    }
    if (to < lines.length) {
      to++;
      added++;
    }
  }
  const rule = "-".repeat(20);
  const shown = lines.slice(from - 1, to).map((line, index) => {
    const number = from + index;
    const mark = number >= startLine && number <= endLine ? ">>> " : "    ";
    return `${String(number).padStart(4)} | ${mark}${line}\n`;
  });
  return `${name}:${startLine}\n${rule}\n${shown.join("")}${rule}\n`;
}
