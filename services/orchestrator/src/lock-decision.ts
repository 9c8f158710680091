import type { LockRow } from "./rows.ts";

/** A lock a run wants before it goes on. */
export interface LockWish {
  readonly kind: LockRow["kind"];
  readonly name: string;
  readonly mode: LockRow["mode"];
  readonly reason: string;
}

export type LockAnswer =
  | { readonly granted: true; readonly rows: readonly LockRow[] }
  | { readonly granted: false; readonly wish: LockWish; readonly heldBy: LockRow };

/**
 * All wishes or none: taking them in sorted order and never holding a part keeps two runs from waiting for each other.
 * A tier lock on an environment covers its regions.
 */
export function decideLocks(
  held: readonly LockRow[],
  run: string,
  wishes: readonly LockWish[],
  now: string,
): LockAnswer {
  const sorted = [...wishes].sort((a, b) => (`${a.kind} ${a.name}` < `${b.kind} ${b.name}` ? -1 : 1));
  for (const wish of sorted) {
    const heldBy = held.find(
      (lock) =>
        lock.run !== run &&
        lock.kind === wish.kind &&
        overlaps(lock, wish) &&
        (lock.mode === "exclusive" || wish.mode === "exclusive"),
    );
    if (heldBy !== undefined) return { granted: false, wish, heldBy };
  }
  return { granted: true, rows: sorted.map((wish) => ({ ...wish, run, since: now })) };
}

function overlaps(lock: { readonly kind: string; readonly name: string }, wish: { readonly name: string }): boolean {
  if (lock.name === wish.name) return true;
  if (lock.kind !== "tier") return false;
  return covers(lock.name, wish.name) || covers(wish.name, lock.name);
}

/** `prod` covers `prod@eu-west-1`. */
function covers(whole: string, part: string): boolean {
  return part.startsWith(`${whole}@`);
}

/** The locks of an apply run: each of its units, and the environment's tier — exclusive where Foundation changes. */
export function wishLocks(
  environment: string,
  units: readonly { readonly unit: string; readonly lifecycle: string }[],
  changeSet: string,
): LockWish[] {
  const foundation = units.some((unit) => unit.lifecycle === "Foundation");
  const reason = `ChangeSet ${changeSet}`;
  return [
    {
      kind: "tier",
      name: environment,
      mode: foundation ? "exclusive" : "shared",
      reason: foundation ? `Foundation change, ${reason}` : reason,
    },
    ...units.map(({ unit }): LockWish => ({ kind: "unit", name: unit, mode: "exclusive", reason })),
  ];
}

export function describeLock(lock: LockRow): string {
  return lock.kind === "tier"
    ? `the tier lock of ${lock.name}, held by ${lock.run} (${lock.reason})`
    : `the lock of ${lock.name}, held by ${lock.run}`;
}
