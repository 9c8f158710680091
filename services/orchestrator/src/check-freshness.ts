import { as, serviceCaller } from "@xcloudflow/chassis/caller";
import type { ChangeSet } from "@xcloudflow/model/change-set";
import { CodedError } from "@xcloudflow/model/coded-error";
import { encodeDocument } from "@xcloudflow/model/parse-json";
import { z } from "zod";
import { governingCommit } from "./governing-commits.ts";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import type { RunRow } from "./rows.ts";
import { runRequestSchema } from "./run-request.ts";

/** Thrown when what was approved is not what would run now. `differences` says what moved, one sentence each. */
export class ChangeSetStaleError extends CodedError {
  readonly differences: readonly string[];

  constructor(changeSet: string, differences: readonly string[]) {
    super("CHANGESET_STALE", "stale", {
      where: changeSet,
      what: `it is stale: ${differences.join("; ")}`,
      hint: "plan again: `xcf plan`",
    });
    this.differences = differences;
  }
}

/**
 * Everything the approval covered is compared with the world: the repository's content and rules, the engines' state,
 * the engines themselves, and the clock. Answers what it waits for when the change is only not merged yet.
 *
 * @throws {ChangeSetStaleError} when anything that decides what would run has changed.
 */
export async function checkFreshness(
  context: OrchestratorContext,
  tenant: string,
  run: RunRow,
  changeSet: ChangeSet,
): Promise<string | undefined> {
  const repository = await compareRepository(context, tenant, run, changeSet);
  const differences = [
    ...expiry(changeSet, context.clock.now()),
    ...repository.differences,
    ...(await serialDifferences(context, tenant, changeSet)),
    ...(await engineDifferences(context, tenant, changeSet)),
  ];
  if (differences.length > 0) throw new ChangeSetStaleError(changeSet.id, differences);
  return repository.branch === ""
    ? undefined
    : `${changeSet.commit.slice(0, 12)} to be merged into ${repository.branch}`;
}

function expiry(changeSet: ChangeSet, now: Date): string[] {
  return now.toISOString() < changeSet.expiresAt ? [] : [`it expired at ${changeSet.expiresAt}`];
}

async function compareRepository(
  context: OrchestratorContext,
  tenant: string,
  run: RunRow,
  changeSet: ChangeSet,
): Promise<{ readonly differences: readonly string[]; readonly branch: string }> {
  // A corrective ChangeSet is planned from what was applied; the branch's head says nothing about it.
  if (changeSet.origin.kind === "drift") return { differences: [], branch: "" };
  const request = runRequestSchema.parse(JSON.parse(run.request));
  const rows = await context.store.transact(tenant, "read-governance", (tx) => tx.governance(run.repository));
  const { differences, waitsForMergeInto } = await context.planner.checkFreshness(
    {
      changeSetDocument: encodeDocument(changeSet),
      repository: run.repository,
      head: request.head,
      governanceCommit: governingCommit(rows, changeSet.environment),
    },
    as(serviceCaller(tenant, "orchestrator")),
  );
  return {
    differences: differences.map(({ unit, what, detail }) => `${unit === "" ? "" : `${unit}: `}${what}: ${detail}`),
    branch: waitsForMergeInto,
  };
}

async function serialDifferences(
  context: OrchestratorContext,
  tenant: string,
  changeSet: ChangeSet,
): Promise<string[]> {
  const { states } = await context.state.listStates(
    { environment: changeSet.environment },
    as(serviceCaller(tenant, "orchestrator")),
  );
  const current = new Map(states.map((state) => [state.unit, state]));
  return changeSet.units.flatMap((unit) => {
    const state = current.get(unit.address);
    if (unit.movedFrom !== undefined || unit.status === "unchanged" || unit.status === "deferred") return [];
    if (state === undefined) return unit.prior.serial === 0 || unit.prior.lineage === "" ? [] : [];
    const same =
      Number(state.serial) === unit.prior.serial && (unit.prior.lineage === "" || state.lineage === unit.prior.lineage);
    return same
      ? []
      : [`${unit.address}: its state has serial ${state.serial} now, it was planned against ${unit.prior.serial}`];
  });
}

async function engineDifferences(
  context: OrchestratorContext,
  tenant: string,
  changeSet: ChangeSet,
): Promise<string[]> {
  const recent = new Date(context.clock.now().getTime() - 10 * 60_000).toISOString();
  const workers = await context.store.transact(tenant, "read-workers", (tx) => tx.workers(recent));
  const offered = new Map<string, Set<string>>();
  for (const worker of workers) {
    // A worker without the tool has no version: it refuses the task with what to do, and the approval stays.
    for (const [engine, versions] of Object.entries(enginesSchema.parse(JSON.parse(worker.engines))))
      for (const version of [versions].flat())
        if (version !== "") offered.set(engine, (offered.get(engine) ?? new Set()).add(version));
  }
  return changeSet.units.flatMap((unit) => {
    const versions = offered.get(unit.engine);
    if (unit.status === "unchanged" || versions === undefined || versions.has(unit.engineVersion)) return [];
    return [
      `${unit.address}: it was planned with ${unit.engine} ${unit.engineVersion}, the workers have ${[...versions].join(", ")}`,
    ];
  });
}

const enginesSchema = z.record(z.string(), z.union([z.string(), z.array(z.string())]));
