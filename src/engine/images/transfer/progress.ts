/** Progress of transfers, in the JSON messages of dockerd (jsonmessage, pkg/progress). */
import type { ProgressMessage } from "../../../api/system.ts";

export interface Update {
  status: string;
  /** Bytes. */
  current?: number;
  total?: number;
}

export type Send = (message: ProgressMessage) => void;
export type Listener = (update: Update) => void;

const everyMillis = 100;

/** Messages about one layer: at most ten a second of one status, and always the last of its bytes. */
export function layerProgress(send: Send, id: string): Listener {
  let last = 0;
  let before = "";
  return ({ status, current, total }) => {
    const now = Date.now();
    const counting = current !== undefined && current !== total;
    if (counting && status === before && now - last < everyMillis) return;
    last = now;
    before = status;
    if (current === undefined) send({ status, progressDetail: {}, id });
    else {
      const progressDetail = { current, ...(total ? { total } : {}) };
      send({ status, progressDetail, progress: progressBar(current, total ?? 0), id });
    }
  };
}

/** As Go's JSONProgress.String draws it for a wide terminal. */
export function progressBar(current: number, total: number): string {
  if (total <= 0) return current <= 0 ? "" : humanSize(current).padStart(8);
  const done = Math.min(50, Math.trunc(Math.trunc((current / total) * 100) / 2));
  const numbers =
    current > total ? humanSize(current).padStart(8) : `${humanSize(current).padStart(8)}/${humanSize(total)}`;
  return `[${"=".repeat(done)}>${" ".repeat(50 - done)}] ${numbers}`;
}

function humanSize(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let value = bytes;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${Number(value.toPrecision(4))}${units[unit]}`;
}
