/** Longest name that is compared; anything longer is no slip of the finger. */
const LONGEST = 100;

/**
 * Edit distance in which a swap of neighbours counts once (optimal string alignment), or `limit + 1` when it is larger
 * than `limit`.
 */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    let best = i;
    for (let j = 1; j <= b.length; j += 1) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let distance = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        distance = Math.min(distance, at(beforeLast, j - 2) + 1);
      }
      row.push(distance);
      best = Math.min(best, distance);
    }
    if (best > limit) return limit + 1;
    beforeLast = last;
    last = row;
  }
  return Math.min(at(last, b.length), limit + 1);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}

/** The candidate that was most likely meant, case and separators aside, or undefined when none is close. */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  if (name.length > LONGEST) return undefined;
  const wanted = fold(name);
  const limit = Math.max(1, Math.floor(name.length / 3));
  let nearest: string | undefined;
  let nearestDistance = limit + 1;
  for (const candidate of candidates) {
    if (candidate.length > LONGEST) continue;
    const distance = editDistance(wanted, fold(candidate), nearestDistance - 1);
    if (distance < nearestDistance) {
      nearest = candidate;
      nearestDistance = distance;
      if (distance === 0) break;
    }
  }
  return nearest;
}

function fold(name: string): string {
  return name.toLowerCase().replaceAll(/[-_ ]/g, "");
}

/** `did you mean "x"?`, else what is allowed, shortened. */
export function suggest(name: string, candidates: Iterable<string>, otherwise = "allowed"): string {
  const names = [...candidates];
  const nearest = nearestName(name, names);
  if (nearest !== undefined) return `did you mean "${nearest}"?`;
  if (names.length === 0) return "";
  const shown = names.slice(0, 20).join(", ");
  return `${otherwise}: ${shown}${names.length > 20 ? ", …" : ""}`;
}

/** After so many problems nobody is helped by guessing what was meant, and guessing among thousands of names is slow. */
const GUESSES = 200;

/** `did you mean "x"?`, else `otherwise`. `told`: how many problems there are already. */
export function didYouMean(name: string, candidates: () => Iterable<string>, otherwise: string, told = 0): string {
  const nearest = told < GUESSES ? nearestName(name, candidates()) : undefined;
  return nearest === undefined ? otherwise : `did you mean "${nearest}"?`;
}
