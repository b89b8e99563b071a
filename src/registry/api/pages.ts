/** Listings that come in pages: tags (end-8a, end-8b) and Docker's catalogue. */
import type { Page } from "../metadata/manifest-index.ts";
import { type Call, jsonResponse, type RegistryParts } from "./call.ts";
import { RegistryError } from "./http-error.ts";

export async function listTags({ tags, maxPage }: RegistryParts, { url, name }: Call): Promise<Response> {
  const { entries, link } = await paginate(url, maxPage, (page) => tags.list(name, page));
  if (entries.length === 0 && !(await tags.isKnown(name))) {
    throw new RegistryError("NAME_UNKNOWN", undefined, { detail: { name } });
  }
  return jsonResponse({ name, tags: entries }, link);
}

/** Docker's `/v2/_catalog`: the repositories that the client may pull from. */
export async function listRepositories({ tags, maxPage }: RegistryParts, { url, grant }: Call): Promise<Response> {
  const list = async ({ limit, after }: Page): Promise<string[]> => {
    if (grant.everything) return tags.repositories({ limit, after });
    const found: string[] = [];
    for await (const repository of tags.allRepositories(after)) {
      if (grant.allows(repository, "pull")) found.push(repository);
      if (found.length >= limit) break;
    }
    return found;
  };
  const { entries, link } = await paginate(url, maxPage, list);
  return jsonResponse({ repositories: entries }, link);
}

/** `n` and `last`; one entry more than asked for tells whether there is a next page. */
async function paginate(url: URL, maxPage: number, list: (page: Page) => Promise<string[]>) {
  const wanted = url.searchParams.get("n");
  if (wanted !== null && !/^\d{1,9}$/.test(wanted)) {
    throw new RegistryError("PAGINATION_NUMBER_INVALID", undefined, { detail: { n: wanted.slice(0, 100) } });
  }
  const limit = Math.min(wanted === null ? maxPage : Number(wanted), maxPage);
  if (limit === 0) return { entries: [], link: {} };
  const found = await list({ limit: limit + 1, after: url.searchParams.get("last") ?? "" });
  const entries = found.slice(0, limit);
  const last = entries.at(-1);
  const more = last !== undefined && found.length > limit;
  return { entries, link: more ? { link: nextLink(url, { n: String(limit), last }) } : {} };
}

/** The `Link` header to the next page. */
export function nextLink(url: URL, change: Record<string, string>): string {
  const next = new URLSearchParams(url.searchParams);
  for (const [key, value] of Object.entries(change)) next.set(key, value);
  return `<${url.pathname}?${next}>; rel="next"`;
}
