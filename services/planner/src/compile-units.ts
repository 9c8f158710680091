import type { Address } from "@xcloudflow/model/address";
import type { AppliedPointer } from "@xcloudflow/model/applied-pointer";
import type { CompiledUnit, Edge } from "@xcloudflow/model/compilation";
import type { DeclaredUnit } from "@xcloudflow/model/dsl/expansion";
import { nearestName } from "@xcloudflow/model/dsl/nearest";
import { executionGraph } from "@xcloudflow/model/execution-order";
import { GraphCycleError, orderWaves } from "@xcloudflow/model/graph";
import type { JsonObject } from "@xcloudflow/model/json-value";
import { stricterRoute } from "@xcloudflow/model/route-strictness";
import { type Selection, selectUnits, UnitUnknownError, unitContentHash } from "@xcloudflow/model/selection";
import type { ModuleSource } from "@xcloudflow/model/task-spec";
import type { UnitRoutes } from "./judged-routes.ts";

/** A declared unit with everything looked up that its module and rules need. */
export interface PreparedUnit {
  readonly declared: DeclaredUnit;
  readonly routes: UnitRoutes;
  readonly module: ModuleSource;
  readonly engineConfig: JsonObject;
  readonly movedFrom: Address | undefined;
  readonly pool: string | undefined;
}

export interface CompileRequest {
  readonly only: readonly Address[];
  /** `<unit>#<resource>` or `<unit>`. */
  readonly replace: readonly string[];
  readonly destroy: boolean;
  readonly appliedOnly: boolean;
}

export interface CompileParts {
  readonly prepared: readonly PreparedUnit[];
  readonly edges: readonly Edge[];
  readonly credentials: CompiledUnit["credentials"];
  readonly applied: ReadonlyMap<Address, AppliedPointer>;
  /** Units whose engine has a state, applied to the end or not. */
  readonly stateful: ReadonlySet<Address>;
  /** Governing routes of units that are wanted no more. */
  readonly governingRoutes: ReadonlyMap<Address, CompiledUnit["route"]>;
  readonly request: CompileRequest;
}

export interface CompiledUnits {
  readonly units: readonly CompiledUnit[];
  readonly edges: readonly Edge[];
}

/** Every resource of a unit, where `--replace` names the unit alone. */
const ALL_RESOURCES = "*";

type UnselectedUnit = Omit<CompiledUnit, "selected" | "reason">;

/**
 * The union of what a commit wants and what was applied before: units to apply, and units to destroy with the module and
 * inputs they were applied with; which of them are in this change, and why.
 *
 * @throws {UnitUnknownError} when a unit is asked for that there is not.
 */
export function compileUnits(parts: CompileParts): CompiledUnits {
  const { request } = parts;
  const units = request.appliedOnly
    ? appliedUnits(parts)
    : request.destroy
      ? destroyedUnits(parts)
      : wantedUnits(parts);
  const edges = keepOrderable(units, unionEdges(units, parts));
  const replace = parseReplace(request.replace);
  checkNames(units, [...request.only, ...replace.keys()]);
  const selection = selectUnits(units, parts.applied, edges, { ...request, replace: [...replace.keys()] });
  return {
    units: units
      .map((unit) => ({ ...unit, ...selectionOf(selection, unit.address), replace: replace.get(unit.address) ?? [] }))
      .sort((a, b) => compareText(a.address, b.address)),
    edges,
  };
}

function selectionOf(selection: ReadonlyMap<Address, Selection>, address: Address): Selection {
  return selection.get(address) ?? { selected: false, reason: "unchanged" };
}

function wantedUnits(parts: CompileParts): UnselectedUnit[] {
  const wanted = parts.prepared.map((unit) => applyUnit(unit, parts));
  const staying = new Set(
    wanted.flatMap(({ address, movedFrom }) => (movedFrom === undefined ? [address] : [address, movedFrom])),
  );
  const vanished = [...parts.applied.values()].filter(({ address }) => !staying.has(address));
  return [...wanted, ...vanished.map((pointer) => destroyUnit(pointer, parts))];
}

/** Everything that is applied, and whatever an attempt that failed may have left behind. */
function destroyedUnits(parts: CompileParts): UnselectedUnit[] {
  const applied = [...parts.applied.values()].map((pointer) => destroyUnit(pointer, parts));
  const leftBehind = parts.prepared.filter(
    ({ declared }) => !parts.applied.has(declared.address) && parts.stateful.has(declared.address),
  );
  return [...applied, ...leftBehind.map((unit): UnselectedUnit => ({ ...applyUnit(unit, parts), action: "destroy" }))];
}

/** As they were applied, under the rules of now where those are stricter. */
function appliedUnits(parts: CompileParts): UnselectedUnit[] {
  return [...parts.applied.values()].map(
    (pointer): UnselectedUnit => ({ ...destroyUnit(pointer, parts), action: "apply" }),
  );
}

function applyUnit(
  { declared, routes, module, engineConfig, movedFrom, pool }: PreparedUnit,
  { credentials }: CompileParts,
): UnselectedUnit {
  const { proposed, governing } = routes;
  const engine = proposed.engine.value;
  return {
    address: declared.address,
    action: "apply",
    engine,
    route: governing === undefined ? proposed : stricterRoute(governing, proposed),
    module,
    inputs: declared.inputs,
    engineConfig,
    credentials,
    ignoreDrift: [...declared.ignoreDrift],
    ...(pool === undefined ? {} : { pool }),
    ...(declared.owner === undefined ? {} : { owner: declared.owner }),
    // Of the proposal alone: once it is applied it governs, and nothing has changed by that.
    contentHash: hashOf(declared, { module, inputs: declared.inputs, engine, engineConfig, route: proposed }),
    ...(movedFrom === undefined ? {} : { movedFrom }),
    replace: [],
  };
}

type HashedUnit = Parameters<typeof unitContentHash>[0];

const hashed = new WeakMap<DeclaredUnit, { readonly unit: HashedUnit; readonly hash: string }>();

/** A declaration that is kept between commits is hashed again only when its module or route is another. */
function hashOf(declared: DeclaredUnit, unit: HashedUnit): string {
  const before = hashed.get(declared);
  const same =
    before?.unit.module.contentHash === unit.module.contentHash &&
    before.unit.route === unit.route &&
    before.unit.engine === unit.engine &&
    before.unit.engineConfig === unit.engineConfig;
  if (same) return before.hash;
  const hash = unitContentHash(unit);
  hashed.set(declared, { unit, hash });
  return hash;
}

function destroyUnit({ unit, address }: AppliedPointer, { governingRoutes }: CompileParts): UnselectedUnit {
  const { movedFrom: _movedFrom, selected: _selected, reason: _reason, ...rest } = unit;
  const governing = governingRoutes.get(address);
  const route = governing === undefined ? unit.route : stricterRoute(governing, unit.route);
  return { ...rest, address, route: { ...route, address }, action: "destroy", replace: [] };
}

/**
 * Dependencies of the commit between units that stay, and those of the last apply wherever a unit goes. Ends that are in
 * another environment stay, so that an applied pointer can say what its unit depended on.
 */
function unionEdges(units: readonly UnselectedUnit[], { edges, applied, request }: CompileParts): Edge[] {
  const actions = new Map(units.map(({ address, action }) => [address, action]));
  const goes = (address: Address): boolean => actions.get(address) === "destroy";
  const wanted = request.appliedOnly
    ? []
    : edges.filter(({ from, to }) => from !== to && actions.get(to) === "apply" && !goes(from));
  if (!request.appliedOnly && units.every(({ action }) => action === "apply")) return sortEdges(wanted);
  const moved = new Map(
    units.flatMap(({ address, movedFrom }) => (movedFrom === undefined ? [] : [[movedFrom, address]])),
  );
  const union = new Map(wanted.map((edge) => [`${edge.from} ${edge.to}`, edge]));
  for (const pointer of applied.values()) {
    const to = moved.get(pointer.address) ?? pointer.address;
    for (const dependency of pointer.dependsOn) {
      const from = moved.get(dependency) ?? dependency;
      if (from === to || !(request.appliedOnly || goes(from) || goes(to))) continue;
      // Of two units that both go (or are both as they were applied), each may say that the other came first, when the
      // dependency was turned round in between: what was applied later knows better.
      const bothOld = request.appliedOnly || (goes(from) && goes(to));
      if (!bothOld || isOlderOrEqual(applied.get(dependency), pointer)) union.set(`${from} ${to}`, { from, to });
    }
  }
  return sortEdges([...union.values()]);
}

function sortEdges(edges: readonly Edge[]): Edge[] {
  return [...edges].sort((a, b) => compareText(a.to, b.to) || compareText(a.from, b.from));
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function isOlderOrEqual(dependency: AppliedPointer | undefined, consumer: AppliedPointer): boolean {
  return dependency === undefined || dependency.appliedAt <= consumer.appliedAt;
}

/**
 * A consumer that goes before its producer changes is a wish, not a need: where keeping it would make a circle (what was
 * between two units is taken out), it is let go.
 */
function keepOrderable(units: readonly UnselectedUnit[], edges: readonly Edge[]): readonly Edge[] {
  // Without a unit that goes there is nothing to let go, and the repository's own circles have been refused.
  if (units.every(({ action }) => action === "apply") || isOrderable(units, edges)) return edges;
  const actions = new Map(units.map(({ address, action }) => [address, action]));
  return edges.filter(({ from, to }) => !(actions.get(to) === "destroy" && actions.get(from) === "apply"));
}

function isOrderable(units: readonly UnselectedUnit[], edges: readonly Edge[]): boolean {
  try {
    orderWaves(executionGraph(units, edges));
    return true;
  } catch (error) {
    if (error instanceof GraphCycleError) return false;
    throw error;
  }
}

function parseReplace(replace: readonly string[]): Map<Address, string[]> {
  const resources = new Map<Address, string[]>();
  for (const text of replace) {
    const hash = text.indexOf("#");
    const address = hash === -1 ? text : text.slice(0, hash);
    const known = resources.get(address) ?? [];
    resources.set(address, [...known, hash === -1 ? ALL_RESOURCES : text.slice(hash + 1)]);
  }
  return resources;
}

function checkNames(units: readonly UnselectedUnit[], names: readonly Address[]): void {
  const known = units.map(({ address }) => address);
  for (const name of names) if (!known.includes(name)) throw new UnitUnknownError(name, nearestName(name, known));
}
