import type { ChangeSet, ChangeSetUnit } from "@xcloudflow/model/change-set";
import { CodedError } from "@xcloudflow/model/coded-error";
import { executionGraph } from "@xcloudflow/model/execution-order";
import type { UnitPlan } from "@xcloudflow/model/unit-plan";
import type { StepEdgeRow, StepRow } from "./rows.ts";

/** Thrown when `--only` leaves out a unit that one of the chosen ones needs first. */
export class SelectionIncompleteError extends CodedError {
  constructor(unit: string, missing: string) {
    super("SELECTION_INCOMPLETE", "invalid", {
      where: unit,
      what: `it needs ${missing}, which changes in the same ChangeSet and is left out`,
      hint: `add --only ${missing}`,
    });
  }
}

/** The unit's approved plan, as an engine's plan again. */
export function approvedPlan(unit: ChangeSetUnit): UnitPlan {
  const { artefact, artefactDigest, cost, failure } = unit;
  return {
    address: unit.address,
    status: unit.status,
    engine: unit.engine,
    engineVersion: unit.engineVersion,
    destroy: unit.destroy,
    summary: unit.summary,
    changes: unit.changes,
    drift: unit.drift,
    outputs: unit.outputs,
    locks: unit.locks,
    prior: { serial: unit.prior.serial, lineage: unit.prior.lineage },
    hazards: unit.hazards,
    ...(artefact === undefined ? {} : { artefact }),
    ...(artefactDigest === undefined ? {} : { artefactDigest }),
    ...(cost === undefined ? {} : { cost }),
    ...(failure === undefined ? {} : { failure }),
  };
}

/**
 * Steps of an apply run. What was planned for real is applied as it is; provisional and deferred units are planned again
 * when their inputs are known; unchanged ones only get their applied pointer moved.
 *
 * @throws {SelectionIncompleteError} when `only` leaves out something that is needed.
 */
export function planSteps(
  run: string,
  changeSet: ChangeSet,
  only: readonly string[],
  plannedInputs: ReadonlyMap<string, string | null>,
): { steps: StepRow[]; edges: StepEdgeRow[] } {
  const chosen = changeSet.units.filter((unit) => only.length === 0 || only.includes(unit.address));
  const graph = executionGraph(
    changeSet.units.map((unit) => ({ address: unit.address, action: unit.destroy ? "destroy" : "apply" })),
    changeSet.edges,
  );
  const names = new Set(chosen.map((unit) => unit.address));
  const edges: StepEdgeRow[] = [];
  const steps = chosen.map((unit): StepRow => {
    const needed = graph.dependenciesOf.get(unit.address) ?? [];
    const missing = needed.find(
      (address) =>
        !names.has(address) &&
        changeSet.units.some((other) => other.address === address && other.status !== "unchanged"),
    );
    if (missing !== undefined) throw new SelectionIncompleteError(unit.address, missing);
    const inside = needed.filter((address) => names.has(address));
    edges.push(...inside.map((from) => ({ run, from, to: unit.address })));
    return {
      run,
      unit: unit.address,
      status: inside.length === 0 ? "ready" : "pending",
      stage: firstStage(unit),
      engine: unit.engine,
      lifecycle: unit.lifecycle,
      destroy: unit.destroy,
      waitingOn: inside.length,
      attempts: 0,
      reason: null,
      outcomeWasUnknown: false,
      plan: JSON.stringify(approvedPlan(unit)),
      result: null,
      inputs: plannedInputs.get(unit.address) ?? null,
      successor: null,
      startedAt: null,
      endedAt: null,
    };
  });
  return { steps, edges };
}

function firstStage(unit: ChangeSetUnit): StepRow["stage"] {
  if (unit.status === "unchanged") return "record";
  return unit.status === "planned" ? "apply" : "replan";
}
