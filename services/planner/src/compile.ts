import { as, serviceCaller } from "@xcloudflow/chassis/caller";
import type { Address } from "@xcloudflow/model/address";
import type { AppliedPointer } from "@xcloudflow/model/applied-pointer";
import type { Compilation, CompiledUnit } from "@xcloudflow/model/compilation";
import { credentialsOf } from "@xcloudflow/model/dsl/credentials";
import { encodeDocument } from "@xcloudflow/model/parse-json";
import { type Problem, ProblemsFoundError } from "@xcloudflow/model/problems-found-error";
import type { ListedPointers } from "./applied-pointers.ts";
import { uploadModules } from "./artefact-upload.ts";
import { type AuthoredUnit, countAuthors } from "./authors.ts";
import { type CompileRequest, compileUnits } from "./compile-units.ts";
import { collectConditions } from "./conditions.ts";
import { type DescriptionParts, describeUnits } from "./described-units.ts";
import { EnvironmentUnknownError, EnvironmentUnspecifiedError } from "./environment-errors.ts";
import { decideGovernance, type Rules } from "./governance.ts";
import type { RouteSide } from "./judged-routes.ts";
import type { LoadedModule } from "./load-modules.ts";
import { snapshotCommit, snapshotWorkTree } from "./open-snapshot.ts";
import type { PlannerContext } from "./planner-context.ts";
import { type PreparedUnits, prepareUnits } from "./prepare-units.ts";
import type { OpenRepository } from "./repositories.ts";
import type { RepositoryContent } from "./repository-reader.ts";

/** What is to be compiled. Empty strings mean "not given". */
export interface CompileQuestion extends CompileRequest {
  readonly tenant: string;
  readonly repository: string;
  readonly head: string;
  readonly base: string;
  readonly environment: string;
  readonly dirty: boolean;
  /** Judges environments that `governanceCommits` does not name; empty: nothing governs yet. */
  readonly governanceCommit: string;
  /** Environment → the commit whose rules judge it. */
  readonly governanceCommits: Readonly<Record<string, string>>;
  /** Store module archives before answering; a comparison needs none. */
  readonly upload: boolean;
}

/**
 * One environment at one commit: units, edges, routes, selection and governance.
 *
 * @throws {ProblemsFoundError} with every problem of the repository at once.
 */
export async function compileEnvironment(context: PlannerContext, question: CompileQuestion): Promise<Compilation> {
  const repository = await context.repositories.open(question.repository);
  const { git, trees, reader } = repository;
  const commit = await git.resolveCommit(question.head === "" ? "HEAD" : question.head);
  const base = question.base === "" ? undefined : await git.resolveCommit(question.base);
  const proposal = await reader.read(
    question.dirty ? await snapshotWorkTree(git, commit) : await snapshotCommit(git, trees, commit),
    "proposal",
  );
  refuseErrors(proposal.problems, question.dirty ? "the work tree" : commit);
  const named = nameEnvironment(question, proposal);
  const governing = await readGoverning(
    repository,
    question.governanceCommits[named] ?? question.governanceCommit,
    commit,
  );
  const environment = checkEnvironment(named, proposal, governing);
  const listed = await context.applied.list(question.tenant, environment);
  const pointers = listed.applied;
  const stateful =
    question.destroy || listed.attempted.size > 0
      ? await statefulUnits(context, question.tenant, environment)
      : new Set<Address>();
  const sides = { proposal: sideOf(proposal, environment), governing: governing && sideOf(governing, environment) };
  const known = withLeftBehind(listed, sides.proposal, stateful, question);
  const prepared = await prepareUnits(context, question, { snapshot: proposal.snapshot, ...sides, pointers: known });
  const rules = {
    proposed: await loadRules(context, question.tenant, proposal, environment),
    governing: governing && (await loadRules(context, question.tenant, governing, environment)),
  };
  await configureSecrets(context, question, governing ?? proposal);
  const governance = decideGovernance(
    rules.governing,
    rules.proposed,
    prepared.units.map(({ declared, routes }) => ({
      address: declared.address,
      governing: routes.known ? routes.governing : undefined,
      proposed: routes.proposed,
    })),
  );
  const { units, edges } = compileUnits({
    prepared: prepared.units,
    edges: sides.proposal?.expansion.edges ?? [],
    credentials: credentialsFor(sides.proposal, sides.governing),
    applied: known,
    stateful,
    governingRoutes: prepared.governingRoutes,
    request: question,
  });
  const conditions = collectConditions(
    [governing, proposal].flatMap((side) => (side === undefined ? [] : [side.monorepo])),
    environment,
    once(() => describeUnits(descriptionParts(units, sides, prepared))),
  );
  if (question.upload) await uploadSelected(context, question.tenant, units, prepared.modules);
  const { baseCommit, authors } = await countAuthors(git, {
    head: commit,
    base,
    pointers: [...pointers.values()],
    units: authoredUnits(units, prepared, pointers),
  });
  return {
    tenant: question.tenant,
    repository: question.repository,
    environment,
    commit,
    baseCommit,
    dirty: question.dirty,
    authors: [...authors],
    units: [...units],
    edges: [...edges],
    governance: { ...governance, conditions },
  };
}

function descriptionParts(
  units: readonly CompiledUnit[],
  sides: { readonly proposal: RouteSide | undefined; readonly governing: RouteSide | undefined },
  prepared: PreparedUnits,
): DescriptionParts {
  const both = [sides.governing, sides.proposal].flatMap((side) => (side === undefined ? [] : [side.expansion]));
  const routes = prepared.units.flatMap(({ declared, routes: { governing } }) =>
    governing === undefined ? [] : [[declared.address, governing] as const],
  );
  return {
    units,
    proposed: sides.proposal?.expansion.units ?? [],
    governing: sides.governing?.expansion.units ?? [],
    governingRoutes: new Map([...prepared.governingRoutes, ...routes]),
    tiers: [...new Set(both.map(({ environment }) => environment.value.spec.tier))],
  };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

function refuseErrors(problems: readonly Problem[], where: string): void {
  if (problems.some(({ severity }) => severity === "error")) throw new ProblemsFoundError(problems, where);
}

/** Undefined before anything governs: then the proposal's own rules are trusted. */
async function readGoverning(
  { git, trees, reader }: OpenRepository,
  governanceCommit: string,
  head: string,
): Promise<RepositoryContent | undefined> {
  if (governanceCommit === "") return undefined;
  const commit = await git.resolveCommit(governanceCommit);
  const content = await reader.read(await snapshotCommit(git, trees, commit), "governing");
  if (commit !== head) refuseErrors(content.problems, `the governance commit ${commit}`);
  return content;
}

/** The environment asked for, or the only one there is. */
function nameEnvironment({ environment, repository }: CompileQuestion, proposal: RepositoryContent): string {
  if (environment !== "") return environment;
  const names = [...proposal.monorepo.environments.keys()].sort();
  const [only] = names;
  if (only === undefined || names.length > 1) throw new EnvironmentUnspecifiedError(repository, names);
  return only;
}

function checkEnvironment(
  environment: string,
  proposal: RepositoryContent,
  governing: RepositoryContent | undefined,
): string {
  const names = [...proposal.monorepo.environments.keys()].sort();
  // An environment that was taken out of the repository can still be compiled: everything in it is destroyed.
  if (names.includes(environment) || governing?.monorepo.environments.has(environment) === true) return environment;
  throw new EnvironmentUnknownError(environment, names);
}

function sideOf(content: RepositoryContent, environment: string): RouteSide | undefined {
  const expansion = content.expansions.get(environment);
  return expansion && { monorepo: content.monorepo, expansion };
}

/**
 * Applied pointers, and those of vanished units whose only apply failed after it had made something: these are destroyed
 * with the snapshot of that attempt.
 */
function withLeftBehind(
  { applied, attempted }: ListedPointers,
  proposal: RouteSide | undefined,
  stateful: ReadonlySet<Address>,
  { appliedOnly }: CompileQuestion,
): ReadonlyMap<Address, AppliedPointer> {
  if (attempted.size === 0 || appliedOnly) return applied;
  const declared = new Set(proposal?.expansion.units.map(({ address }) => address));
  const left = [...attempted].filter(([address]) => !declared.has(address) && stateful.has(address));
  return new Map([...applied, ...left]);
}

async function statefulUnits({ state }: PlannerContext, tenant: string, environment: string): Promise<Set<Address>> {
  const { states } = await state.listStates({ environment }, as(serviceCaller(tenant, "planner")));
  return new Set(states.filter(({ version }) => version > 0n).map(({ unit }) => unit));
}

/** Which secrets backends exist is a rule: it comes from what governs, so that a proposal cannot point at another store. */
async function configureSecrets(
  { secrets }: PlannerContext,
  { tenant, repository }: CompileQuestion,
  { monorepo }: RepositoryContent,
): Promise<void> {
  const { backends = {} } = monorepo.platform?.value.spec.secrets ?? {};
  const backendsDocument = encodeDocument({ backends });
  await secrets.configureBackends({ repository, backendsDocument }, as(serviceCaller(tenant, "planner")));
}

/** Policy bundles are stored before they are named: the orchestrator evaluates them by revision. */
async function loadRules(
  { policy }: PlannerContext,
  tenant: string,
  content: RepositoryContent,
  environment: string,
): Promise<Rules> {
  const contents = await content.snapshot.read(content.policyFiles);
  const files = content.policyFiles.map(({ path, oid }) => ({ path, content: contents.get(oid) ?? new Uint8Array() }));
  const { revision } = await policy.loadBundle({ files }, as(serviceCaller(tenant, "planner")));
  return {
    commit: content.snapshot.commit,
    monorepo: content.monorepo,
    environment: content.monorepo.environments.get(environment)?.value,
    policyRevision: revision,
    policyFiles: new Map(content.policyFiles.map(({ path, oid }) => [path, oid])),
  };
}

/**
 * Roles come from the governing commit wherever it names them: a proposal cannot lend itself another role. Accounts that
 * only the proposal has are its own.
 */
function credentialsFor(
  proposal: RouteSide | undefined,
  governing: RouteSide | undefined,
): CompiledUnit["credentials"] {
  const sides = [proposal, governing].flatMap((side) =>
    side === undefined ? [] : [credentialsOf(side.monorepo, side.expansion.environment)],
  );
  return {
    plan: Object.assign({}, ...sides.map(({ plan }) => plan.env)),
    apply: Object.assign({}, ...sides.map(({ apply }) => apply.env)),
  };
}

async function uploadSelected(
  context: PlannerContext,
  tenant: string,
  units: readonly CompiledUnit[],
  modules: ReadonlyMap<Address, LoadedModule>,
): Promise<void> {
  const selected = units.flatMap(({ address, selected: chosen }) =>
    chosen ? (modules.get(address)?.packed ?? []) : [],
  );
  await uploadModules(context.state, tenant, selected, context.packer);
}

function authoredUnits(
  units: readonly CompiledUnit[],
  { modules, units: prepared }: PreparedUnits,
  pointers: ReadonlyMap<Address, AppliedPointer>,
): AuthoredUnit[] {
  const declared = new Map(prepared.map((unit) => [unit.declared.address, unit.declared]));
  return units.flatMap(({ address, selected, movedFrom }) => {
    const unit = declared.get(address);
    if (!selected || unit === undefined) return [];
    const paths = [unit.source.composition.source.file, ...(modules.get(address)?.packed.paths ?? [])].filter(
      (path) => path !== "",
    );
    return [{ appliedCommit: pointers.get(movedFrom ?? address)?.commit, paths }];
  });
}
