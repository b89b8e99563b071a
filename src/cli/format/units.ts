/** Sizes and durations as docker prints them (github.com/docker/go-units). */

const decimalUnits = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
const binaryUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"];

/** `1.234MB`: powers of 1000, four significant digits unless told. */
export function humanSize(bytes: number, digits = 4): string {
  return scaled(bytes, 1000, decimalUnits, digits);
}

/** `1.5GiB`: powers of 1024, four significant digits. */
export function bytesSize(bytes: number): string {
  return scaled(bytes, 1024, binaryUnits, 4);
}

function scaled(bytes: number, base: number, units: string[], digits: number): string {
  let size = bytes;
  let unit = 0;
  while (size >= base && unit < units.length - 1) {
    size /= base;
    unit++;
  }
  return significant(size, digits) + units[unit];
}

/** Go's `%.Ng`: 999.9 in three digits is `1e+03`. */
function significant(value: number, digits: number): string {
  const [, mantissa = "", exponent = "0"] = /^(.*)e([+-]\d+)$/.exec(value.toExponential(digits - 1)) ?? [];
  if (Number(exponent) >= digits || Number(exponent) < -4) {
    return `${String(Number(mantissa))}e${exponent.replace(/^([+-])(\d)$/, "$10$2")}`;
  }
  return String(Number(value.toPrecision(digits)));
}

/** `About a minute`, `3 hours`: how long, roughly. */
export function humanDuration(millis: number): string {
  const seconds = Math.trunc(millis / 1000);
  const minutes = Math.trunc(millis / 60_000);
  const hours = Math.trunc(millis / 3_600_000 + 0.5);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  const days = Math.trunc(hours / 24);
  if (hours < 24 * 7 * 2) return `${days} days`;
  if (hours < 24 * 30 * 2) return `${Math.trunc(days / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.trunc(days / 30)} months`;
  return `${Math.trunc(Math.trunc(millis / 3_600_000) / 24 / 365)} years`;
}

/** `3 hours ago`, from seconds since 1970. */
export function agoFromSeconds(seconds: number, now = Date.now()): string {
  return `${humanDuration(now - seconds * 1000)} ago`;
}

/** A time as Go prints it with its zone: `2026-01-02 15:04:05 +0000 UTC`, in the local zone. From seconds since 1970. */
export function localTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${time} ${zoneOffset(date, "")} ${zoneName(date)}`;
}

/** The same as RFC 3339 in the local zone: `2026-01-02T15:04:05+01:00`, `Z` for UTC. */
export function localRfc3339(seconds: number): string {
  const date = new Date(seconds * 1000);
  const offset = date.getTimezoneOffset();
  const shifted = new Date(date.getTime() - offset * 60_000).toISOString().slice(0, 19);
  return shifted + (offset === 0 ? "Z" : zoneOffset(date, ":"));
}

function zoneOffset(date: Date, separator: string): string {
  const minutes = -date.getTimezoneOffset();
  const two = (value: number) => String(value).padStart(2, "0");
  return `${minutes < 0 ? "-" : "+"}${two(Math.trunc(Math.abs(minutes) / 60))}${separator}${two(Math.abs(minutes) % 60)}`;
}

function zoneName(date: Date): string {
  const part = new Intl.DateTimeFormat("en-US", { timeZoneName: "short" }).formatToParts(date);
  const name = part.find(({ type }) => type === "timeZoneName")?.value ?? "UTC";
  return /^GMT[+-]/.test(name) ? zoneOffset(date, "").replace(/00$/, "") : name;
}

/** Cuts to a display width, the last column an ellipsis; East Asian wide characters take two columns. */
export function ellipsis(text: string, width: number): string {
  if (width <= 0) return "";
  const chars = [...text];
  if (chars.reduce((sum, c) => sum + Bun.stringWidth(c), 0) <= width) return text;
  if (width === 1) return chars[0] ?? "";
  let out = "";
  let used = 0;
  for (const c of chars) {
    used += Bun.stringWidth(c);
    if (used > width - 1) break;
    out += c;
  }
  return `${out}…`;
}
