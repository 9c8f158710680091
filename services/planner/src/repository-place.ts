import { resolve } from "node:path";

/** `https://…` and the like; everything else is a folder. */
export function isRepositoryUrl(repository: string): boolean {
  return /^[a-z][a-z+]*:\/\//.test(repository);
}

/**
 * Whether a shared planner may read a repository. A prefix ends where a part of the path does: `/srv/git` allows
 * `/srv/git/shop`, not `/srv/git-private`; detours are followed first, and credentials never stand in a URL.
 */
export function isAllowedRepository(repository: string, allowed: readonly string[]): boolean {
  const place = normalize(repository);
  return place !== undefined && allowed.some((prefix) => isBelow(place, normalize(prefix)));
}

function isBelow(place: string, prefix: string | undefined): boolean {
  if (prefix === undefined) return false;
  return place === prefix || place.startsWith(prefix.endsWith("/") ? prefix : `${prefix}/`);
}

function normalize(place: string): string | undefined {
  if (!isRepositoryUrl(place)) return place.startsWith("/") && !place.includes("\0") ? resolve(place) : undefined;
  const url = URL.parse(place);
  if (url === null || url.password !== "" || url.search !== "" || url.hash !== "") return undefined;
  if (url.username !== "" && url.protocol !== "ssh:") return undefined;
  return url.href;
}
