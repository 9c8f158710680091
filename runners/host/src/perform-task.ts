import { CodedError } from "@xcloudflow/model/coded-error";
import type { TaskResult } from "@xcloudflow/model/task-result";
import type { UnitFailure } from "@xcloudflow/model/unit-plan";
import type { Attempt } from "./attempt.ts";
import type { Engine } from "./engine.ts";
import {
  AttemptCanceledError,
  AttemptTimedOutError,
  type Effects,
  EngineFailedError,
  WorkerEndingError,
} from "./engine-errors.ts";

/**
 * Runs one task's verb and says how it ended; never throws for what an engine or a service refuses. `verify` is a plan
 * that must find nothing, `inspect` a plan after an attempt of which nobody knows what it did.
 */
export async function performTask(engine: Engine, attempt: Attempt, recoveredState: boolean): Promise<TaskResult> {
  try {
    return await perform(engine, attempt, recoveredState);
  } catch (error) {
    return resultOf(error, attempt);
  }
}

async function perform(engine: Engine, attempt: Attempt, recoveredState: boolean): Promise<TaskResult> {
  const { spec } = attempt;
  switch (spec.kind) {
    case "plan":
      return { kind: "planned", plan: await engine.plan(attempt) };
    case "apply": {
      const state = await (spec.destroy ? engine.destroy(attempt) : engine.apply(attempt));
      return {
        kind: "applied",
        outputs: await attempt.keepOutputs(state.outputs),
        serial: state.serial,
        lineage: state.lineage,
      };
    }
    case "verify": {
      const plan = await engine.plan(attempt);
      return { kind: "verified", converged: plan.status === "unchanged", changes: plan.changes, outputs: plan.outputs };
    }
    case "inspect": {
      const plan = await engine.plan(attempt);
      // The dead attempt had done its work but for saying so: what it made is there for others to refer to.
      if (plan.status !== "unchanged") return { kind: "inspected", plan, recoveredState };
      const { outputs } = await engine.outputs(attempt);
      return { kind: "inspected", plan: { ...plan, outputs: await attempt.keepOutputs(outputs) }, recoveredState };
    }
    case "drift":
      return { kind: "drifted", changes: [...(await engine.detectDrift(attempt))] };
    case "snapshot":
      return { kind: "snapshotted", snapshotId: await engine.snapshot(attempt) };
    case "restore":
      return { kind: "restored", snapshotId: await engine.restore(attempt) };
  }
}

/** What is not an engine's own verdict may have happened after an apply had begun. */
function resultOf(error: unknown, attempt: Attempt): TaskResult {
  const writes = attempt.spec.kind === "apply" || attempt.spec.kind === "restore";
  const unsure: Effects = writes ? "possible" : "none";
  const { reason } = attempt.signal;
  if (attempt.signal.aborted && reason instanceof AttemptTimedOutError)
    return failed(reason, effectsOf(error, unsure), false, attempt);
  if (attempt.signal.aborted && reason instanceof WorkerEndingError)
    return { kind: "released", effects: effectsOf(error, unsure) };
  if (error instanceof AttemptCanceledError || attempt.signal.aborted)
    return { kind: "canceled", effects: effectsOf(error, unsure) };
  if (error instanceof EngineFailedError) return failed(error, error.effects, error.retryable, attempt);
  return failed(error, unsure, isTransient(error), attempt);
}

function effectsOf(error: unknown, unsure: Effects): Effects {
  return error instanceof AttemptCanceledError || error instanceof EngineFailedError ? error.effects : unsure;
}

function isTransient(error: unknown): boolean {
  return error instanceof CodedError && error.category === "unavailable" && error.code !== "ENGINE_MISSING";
}

function failed(error: unknown, effects: Effects, retryable: boolean, attempt: Attempt): TaskResult {
  return { kind: "failed", failure: failureOf(error, attempt), effects, retryable };
}

function failureOf(error: unknown, attempt: Attempt): UnitFailure {
  const clean = (text: string): string => attempt.redactText(text);
  if (error instanceof CodedError) {
    return {
      code: error.code,
      message: clean(error.what),
      ...(error.where === undefined ? {} : { where: clean(error.where) }),
      ...(error.hint === undefined ? {} : { hint: clean(error.hint) }),
    };
  }
  if (isDiskFull(error)) {
    return {
      code: "DISK_FULL",
      message: "no space is left on the worker's disk",
      hint: "free space below the scratch or cache folder, then retry the run",
    };
  }
  return {
    code: "RUNNER_FAILED",
    message: clean(error instanceof Error ? `${error.name}: ${error.message}` : String(error)),
  };
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
}
