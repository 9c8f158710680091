import type { Address } from "@xcloudflow/model/address";

/**
 * Which unit's applied pointer and state each unit takes over, given what the repository says has been `moved` (new
 * address → old address). Moves follow each other. A unit that has been applied under its own address takes nothing
 * over, and nothing is taken from a unit that stays.
 */
export function resolveMoves(
  addresses: readonly Address[],
  moves: ReadonlyMap<Address, Address>,
  isApplied: (address: Address) => boolean,
): Map<Address, Address> {
  const resolved = new Map<Address, Address>();
  if (moves.size === 0) return resolved;
  const staying = new Set(addresses);
  const taken = new Set<Address>();
  for (const address of addresses) {
    if (isApplied(address)) continue;
    const from = earliest(
      address,
      moves,
      (candidate) => isApplied(candidate) && !staying.has(candidate) && !taken.has(candidate),
    );
    if (from === undefined) continue;
    taken.add(from);
    resolved.set(address, from);
  }
  return resolved;
}

function earliest(
  address: Address,
  moves: ReadonlyMap<Address, Address>,
  accepts: (address: Address) => boolean,
): Address | undefined {
  const seen = new Set<Address>();
  for (let from = moves.get(address); from !== undefined && !seen.has(from); from = moves.get(from)) {
    if (accepts(from)) return from;
    seen.add(from);
  }
  return undefined;
}
