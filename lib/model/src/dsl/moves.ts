import { type Address, formatAddress, NAME_PATTERN } from "../address.ts";
import type { Move } from "./composition.ts";
import type { Environment } from "./environment.ts";
import type { Monorepo } from "./monorepo-index.ts";
import type { ParsedDocument } from "./parse.ts";
import type { Path } from "./source.ts";

/** One side of a move: `[<composition>[@<region>]/]<module>`. */
export interface MoveEnd {
  readonly composition: string | undefined;
  readonly region: string | undefined;
  readonly module: string;
}

/** Undefined when `text` is no end of a move. */
export function parseMoveEnd(text: string): MoveEnd | undefined {
  const [first = "", second, ...rest] = text.split("/");
  if (rest.length > 0) return undefined;
  if (second === undefined)
    return NAME_PATTERN.test(first) ? { composition: undefined, region: undefined, module: first } : undefined;
  const [composition = "", region, ...more] = first.split("@");
  const isRegion = region === undefined || NAME_PATTERN.test(region);
  if (more.length > 0 || !isRegion || !NAME_PATTERN.test(composition) || !NAME_PATTERN.test(second)) return undefined;
  return { composition, region, module: second };
}

export interface PlacedMove {
  readonly move: Move;
  readonly document: ParsedDocument;
  readonly path: Path;
  /** The composition a bare module name belongs to. */
  readonly composition: string | undefined;
}

/** Every `moved` entry that concerns an environment: its own, then those of the compositions it assembles. */
export function placedMoves(monorepo: Monorepo, environment: ParsedDocument<Environment>): PlacedMove[] {
  const own = listed(environment, environment.value.spec.moved, undefined);
  const placed = monorepo.placements.get(environment.value.metadata.name)?.keys() ?? [];
  const theirs = [...placed].flatMap((name) => {
    const document = monorepo.compositions.get(name);
    return document === undefined ? [] : listed(document, document.value.spec.moved, name);
  });
  return [...own, ...theirs];
}

function listed(
  document: ParsedDocument,
  moves: readonly Move[] | undefined,
  composition: string | undefined,
): PlacedMove[] {
  return (moves ?? []).map((move, index) => ({ move, document, path: ["spec", "moved", index], composition }));
}

/** A move as it applies to addresses, with the entry that says so. */
export interface AddressMove {
  readonly from: Address;
  readonly to: Address;
  readonly document: ParsedDocument;
  readonly path: Path;
}

/**
 * A move without regions on either side holds for every region the composition is assembled in; one with a region only
 * in `to` is an instance that had none before.
 */
export function addressMoves(monorepo: Monorepo, environment: ParsedDocument<Environment>): AddressMove[] {
  const { name } = environment.value.metadata;
  const moves: AddressMove[] = [];
  for (const { move, composition, document, path } of placedMoves(monorepo, environment)) {
    const from = parseMoveEnd(move.from);
    const to = parseMoveEnd(move.to);
    const target = to?.composition ?? composition;
    const origin = from?.composition ?? composition;
    if (from === undefined || to === undefined || target === undefined || origin === undefined) continue;
    const isGeneral = from.region === undefined && to.region === undefined;
    const regions = isGeneral ? (monorepo.placements.get(name)?.get(target) ?? [undefined]) : [to.region];
    for (const region of regions) {
      moves.push({
        to: formatAddress({ environment: name, composition: target, region, module: to.module }),
        from: formatAddress({
          environment: name,
          composition: origin,
          region: isGeneral ? region : from.region,
          module: from.module,
        }),
        document,
        path,
      });
    }
  }
  return moves;
}

/** New address → old address, for units that take over another's state. */
export function movesOf(monorepo: Monorepo, environment: ParsedDocument<Environment>): ReadonlyMap<Address, Address> {
  return new Map(addressMoves(monorepo, environment).map(({ from, to }) => [to, from]));
}
