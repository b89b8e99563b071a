/** IP addresses in text. Not node:net, whose loading costs a short command more than all its other work. */

/** 4, 6, or 0 for what is no address (a zone is not part of one, as in Go's net.ParseIP). */
export function ipVersion(text: string): 0 | 4 | 6 {
  if (isIpv4(text)) return 4;
  return text.includes(":") && canonicalIpv6(text) !== undefined ? 6 : 0;
}

/** The shortest form, `::1` for `0:0::1`; undefined for what is no IPv6 address. */
export function canonicalIpv6(text: string): string | undefined {
  if (!/^[0-9a-fA-F:.]+$/.test(text)) return undefined;
  const url = `http://[${text}]`;
  return URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : undefined;
}

function isIpv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}
