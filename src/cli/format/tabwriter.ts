/**
 * Go's text/tabwriter: cells end in a tab; a column is a run of lines that have a cell there, as wide as its widest cell. The last cell of
 * a line ends no column, so it is never padded.
 */
export interface TabOptions {
  minWidth: number;
  padding: number;
}

const dockerTable: TabOptions = { minWidth: 10, padding: 3 };

export function alignTabs(text: string, options: TabOptions = dockerTable): string {
  const rows = text.split("\n").map((line) => line.split("\t"));
  const widths: number[] = [];
  const out: string[] = new Array(rows.length).fill("");
  layout(rows, 0, rows.length, widths, options, out);
  return out.join("\n");
}

/** The algorithm of tabwriter's format(): a block of lines that share column `widths.length` is laid out with that column's width. */
function layout(
  rows: string[][],
  from: number,
  to: number,
  widths: number[],
  options: TabOptions,
  out: string[],
): void {
  const column = widths.length;
  let done = from;
  for (let row = from; row < to; row++) {
    if (column >= (rows[row] as string[]).length - 1) continue;
    writeRows(rows, done, row, widths, out);
    let end = row;
    let width = options.minWidth;
    while (end < to && column < (rows[end] as string[]).length - 1) {
      width = Math.max(width, [...(rows[end]?.[column] ?? "")].length + options.padding);
      end++;
    }
    layout(rows, row, end, [...widths, width], options, out);
    done = end;
    row = end - 1;
  }
  writeRows(rows, done, to, widths, out);
}

function writeRows(rows: string[][], from: number, to: number, widths: number[], out: string[]): void {
  for (let row = from; row < to; row++) {
    const cells = rows[row] as string[];
    out[row] = cells
      .map((cell, i) =>
        i < cells.length - 1 && i < widths.length ? cell + " ".repeat((widths[i] as number) - [...cell].length) : cell,
      )
      .join("");
  }
}
