/** `images --tree`: each image with the platforms behind its names, in docker's layout. */
import type { ImageSummary } from "../../api/images.ts";
import { shortId } from "../../base/ids.ts";
import { formatPlatform } from "../../oci/platform.ts";
import { humanSize } from "../format/units.ts";

export interface TreeScreen {
  columns: number;
  /** With colours. */
  terminal: boolean;
}

interface Row {
  id: string;
  usage: number;
  content: number;
  used: boolean;
}

interface Column {
  title: string;
  width: number;
  right?: true;
  value: (row: Row) => string;
  style: string;
}

const gap = "   ";
const warning = "WARNING: This is an experimental feature. The output may change and shouldn't be depended on.";
const styles = {
  warning: "93",
  header: "39;1",
  name: "34;1",
  untagged: "39;2",
  plain: "39",
  absent: "39;2",
  chip: "38;5;0;48;5;14",
};

const columns: readonly Column[] = [
  { title: "ID", width: 12, value: ({ id }) => shortId(id), style: styles.plain },
  { title: "DISK USAGE", width: 10, right: true, value: ({ usage }) => humanSize(usage, 3), style: styles.plain },
  { title: "CONTENT SIZE", width: 12, right: true, value: ({ content }) => humanSize(content, 3), style: styles.plain },
  { title: "EXTRA", width: 5, value: ({ used }) => (used ? " U " : ""), style: styles.chip },
];

export function renderTree(images: readonly ImageSummary[], { columns: given, terminal }: TreeScreen): string {
  const width = Math.max(20, given || 80);
  const paint = (text: string, style: string) => (terminal && text !== "" ? `\x1b[${style}m${text}\x1b[0m` : text);
  const { shown, nameWidth } = fit(images, width);
  const line = (name: string, nameStyle: string, row?: Row, style?: string) => {
    const cells = row ? shown.map((column) => gap + cell(column.value(row), column, style ?? column.style, paint)) : [];
    return `${cell(name, { width: nameWidth }, nameStyle, paint)}${cells.join("")}\n`;
  };
  const legend = "Info ->  U In Use ";
  const header = shown.map((column) => gap + cell(column.title, column, styles.header, paint)).join("");
  let text = `${paint(warning, styles.warning)}\n${legend.padStart(width)}\n\n`;
  text += `${cell("IMAGE", { width: nameWidth }, styles.header, paint)}${header}\n`;
  for (const image of images) {
    const children = platforms(image);
    const top = topRow(image, children);
    // The longest first.
    const names = image.RepoTags?.length ? image.RepoTags.toSorted((a, b) => b.length - a.length) : ["<untagged>"];
    const style = image.RepoTags?.length ? styles.name : styles.untagged;
    for (const name of names.slice(0, -1)) text += `${paint(name, style)}\n`;
    text += line(names.at(-1) ?? "", style, top);
    for (const [index, { name, available, row }] of children.entries()) {
      const branch = index === children.length - 1 ? "└─ " : "├─ ";
      const state = available ? styles.plain : styles.absent;
      text += line(branch + name, state, row, row.used ? undefined : state);
    }
    text += "\n";
  }
  return text;
}

interface PlatformRow {
  name: string;
  available: boolean;
  row: Row;
}

function platforms({ Manifests = [] }: ImageSummary): PlatformRow[] {
  return Manifests.flatMap(({ Kind, ImageData, ID, Size, Available }) => {
    if (Kind !== "image" || !ImageData) return [];
    const row = { id: ID, usage: Size.Total, content: Size.Content, used: (ImageData.Containers ?? []).length > 0 };
    return [{ name: formatPlatform(ImageData.Platform), available: Available, row }];
  });
}

function topRow({ Id, Size, Containers }: ImageSummary, children: PlatformRow[]): Row {
  const content = children.reduce((sum, { row }) => sum + row.content, 0);
  return { id: Id, usage: Size, content, used: Containers > 0 || children.some(({ row }) => row.used) };
}

/** The first column as narrow as its names; columns that leave it less than 12 are dropped. */
function fit(images: readonly ImageSummary[], width: number): { shown: readonly Column[]; nameWidth: number } {
  let rest = width;
  let count = 0;
  for (const { width: own } of columns) {
    if (rest - own - gap.length < 12) break;
    rest -= own + gap.length;
    count++;
  }
  // Branches count as the bytes that they are, as in docker's.
  const widths = images.flatMap((image) => [
    ...(image.RepoTags?.length ? image.RepoTags : ["<untagged>"]).map((name) => name.length),
    ...platforms(image).map(({ name }) => Buffer.byteLength(`└─ ${name}`)),
  ]);
  const widest = Math.max("IMAGE".length, ...widths);
  return { shown: columns.slice(0, count), nameWidth: Math.min(rest, widest) };
}

function cell(
  text: string,
  { width, right }: Pick<Column, "width" | "right">,
  style: string,
  paint: (text: string, style: string) => string,
): string {
  const shown = text.length > width ? `${text.slice(0, width - 3)}...` : text;
  const fill = " ".repeat(width - shown.length);
  return right ? fill + paint(shown, style) : paint(shown, style) + fill;
}
