import type { Address } from "@xcloudflow/model/address";
import type { AppliedPointer } from "@xcloudflow/model/applied-pointer";
import type { DeclaredUnit } from "@xcloudflow/model/dsl/expansion";
import { movesOf } from "@xcloudflow/model/dsl/moves";
import { routeQuestion } from "@xcloudflow/model/dsl/route-question";
import { type Problem, ProblemsFoundError } from "@xcloudflow/model/problems-found-error";
import type { Route } from "@xcloudflow/model/route";
import type { PreparedUnit } from "./compile-units.ts";
import { askAbout, type RouteSide, type UnitQuestions, type UnitRoutes } from "./judged-routes.ts";
import { fetchModules, type LoadedModule, loadModules, type ModuleSources, moduleContents } from "./load-modules.ts";
import { resolveMoves } from "./moves.ts";
import type { PlannerContext } from "./planner-context.ts";
import { registryHosts } from "./registry-hosts.ts";
import type { Snapshot } from "./snapshot.ts";

export interface PreparedUnits {
  readonly units: readonly PreparedUnit[];
  readonly modules: ReadonlyMap<Address, LoadedModule>;
  /** Routes that the governing commit has for units the proposal has no more. */
  readonly governingRoutes: ReadonlyMap<Address, Route>;
}

export interface PrepareParts {
  readonly snapshot: Snapshot;
  /** Undefined where the commit does not have the environment. */
  readonly proposal: RouteSide | undefined;
  readonly governing: RouteSide | undefined;
  readonly pointers: ReadonlyMap<Address, AppliedPointer>;
}

/**
 * Moves, routes and modules of every declared unit; with `appliedOnly` none, since then only what is applied counts.
 *
 * @throws {ProblemsFoundError} with the problems of all modules at once.
 */
export async function prepareUnits(
  context: PlannerContext,
  { tenant, appliedOnly }: { readonly tenant: string; readonly appliedOnly: boolean },
  { snapshot, proposal, governing, pointers }: PrepareParts,
): Promise<PreparedUnits> {
  const governingUnits = new Map(governing?.expansion.units.map((unit) => [unit.address, unit]));
  const declared = proposal === undefined || appliedOnly ? [] : proposal.expansion.units;
  const staying = new Set(declared.map(({ address }) => address));
  const vanished = [...pointers.keys()].flatMap((address) =>
    staying.has(address) ? [] : (governingUnits.get(address) ?? []),
  );
  const governingRoutes =
    governing === undefined ? new Map<Address, Route>() : await routesOf(context, tenant, governing, vanished);
  if (proposal === undefined || declared.length === 0) return { units: [], modules: new Map(), governingRoutes };

  const moved = resolveMoves([...staying], movesOf(proposal.monorepo, proposal.expansion.environment), (address) =>
    pointers.has(address),
  );
  const sources = await fetchModules(snapshot, declared, {
    remote: context.remote,
    registry: context.registry,
    hosts: registryHosts((governing ?? proposal).monorepo),
  });
  const routes = await judgeRoutes(context, tenant, declared, { proposal, governing, governingUnits, sources, moved });
  const problems: Problem[] = [];
  // Which program is run is a rule: it comes from what governs.
  const engines = (governing ?? proposal).monorepo.platform?.value.spec.engines ?? {};
  const environmentFile = proposal.expansion.environment.source.file;
  const wishes = declared.map((unit, index) => ({
    declared: unit,
    engine: routes[index]?.proposed.engine.value ?? "",
    environmentFile,
  }));
  const modules = await loadModules(sources, wishes, context.packer, problems, engines);
  if (problems.length > 0) throw new ProblemsFoundError(problems, snapshot.dirty ? "the work tree" : snapshot.commit);
  const units = declared.flatMap((unit, index): PreparedUnit[] => {
    const [unitRoutes, loaded] = [routes[index], modules.get(unit.address)];
    if (unitRoutes === undefined || loaded === undefined) return [];
    const { archive, path, contentHash } = loaded.packed;
    const module = { archive, path, contentHash };
    return [
      {
        declared: unit,
        routes: unitRoutes,
        module,
        engineConfig: loaded.engineConfig,
        movedFrom: moved.get(unit.address),
        pool: unit.pool ?? engines[unitRoutes.proposed.engine.value]?.pool,
      },
    ];
  });
  return { units, modules, governingRoutes };
}

interface JudgeParts {
  readonly proposal: RouteSide;
  readonly governing: RouteSide | undefined;
  readonly governingUnits: ReadonlyMap<Address, DeclaredUnit>;
  readonly sources: ModuleSources;
  readonly moved: ReadonlyMap<Address, Address>;
}

/** What decided a unit's routes: while none of it is another, neither are they. */
interface Judged {
  readonly basis: readonly unknown[];
  readonly routes: UnitRoutes;
}

const judged = new WeakMap<DeclaredUnit, Judged>();

/** The routes of units, in their order; only those that could have changed are asked for. */
async function judgeRoutes(
  context: PlannerContext,
  tenant: string,
  declared: readonly DeclaredUnit[],
  { proposal, governing, governingUnits, sources, moved }: JudgeParts,
): Promise<UnitRoutes[]> {
  const [proposedRules, governingRules] = [rulesText(proposal), governing && rulesText(governing)];
  const found = new Map<DeclaredUnit, UnitRoutes>();
  const open: { readonly unit: DeclaredUnit; readonly basis: readonly unknown[]; readonly questions: UnitQuestions }[] =
    [];
  for (const unit of declared) {
    const contents = moduleContents(sources, unit);
    const movedFrom = moved.get(unit.address);
    const known = governingUnits.get(unit.address) ?? governingUnits.get(movedFrom ?? "");
    const basis = [
      proposedRules,
      governingRules,
      governing?.expansion.environment.value,
      governing?.monorepo.platform?.value,
      known,
      contents,
    ];
    const before = judged.get(unit);
    if (before?.basis.every((part, index) => part === basis[index])) found.set(unit, before.routes);
    else
      open.push({
        unit,
        basis,
        questions: askAbout(unit, proposal, governing, { contents, movedFrom, governingUnits }),
      });
  }
  const answers = await askRoutes(
    context,
    tenant,
    open.map(({ questions }) => questions),
  );
  for (const [index, { unit, basis }] of open.entries()) {
    const routes = answers[index];
    if (routes === undefined) continue;
    judged.set(unit, { basis, routes });
    found.set(unit, routes);
  }
  return declared.flatMap((unit) => found.get(unit) ?? []);
}

/** Approval rules as one text with their places; equal texts, equal rules. */
function rulesText({ monorepo }: RouteSide): string {
  return JSON.stringify(monorepo.approvalRules.map(({ value, source, index }) => [source.reference(index, []), value]));
}

async function askRoutes(
  { routes }: PlannerContext,
  tenant: string,
  questions: readonly UnitQuestions[],
): Promise<UnitRoutes[]> {
  const flat = questions.flatMap(({ proposed, governing }) =>
    governing === undefined ? [proposed] : [proposed, governing],
  );
  const answers = (await routes.ask(tenant, flat)).values();
  return questions.flatMap(({ governing, known }) => {
    const proposed = answers.next().value;
    const other = governing === undefined ? undefined : answers.next().value;
    return proposed === undefined ? [] : [{ proposed, governing: other, known }];
  });
}

async function routesOf(
  { routes }: PlannerContext,
  tenant: string,
  side: RouteSide,
  units: readonly DeclaredUnit[],
): Promise<Map<Address, Route>> {
  const answers = await routes.ask(
    tenant,
    units.map((unit) => routeQuestion(side.monorepo, unit)),
  );
  return new Map(answers.map((route) => [route.address, route]));
}
