import { type Clock, pause } from "@xcloudflow/chassis/clock";
import type { Random } from "@xcloudflow/chassis/random";
import { parseJson } from "@xcloudflow/model/parse-json";
import type { TaskResult } from "@xcloudflow/model/task-result";
import { taskSpecSchema } from "@xcloudflow/model/task-spec";
import { waitForTask } from "@xcloudflow/orchestrator/claim-task";
import type { OrchestratorContext } from "@xcloudflow/orchestrator/orchestrator-context";
import { acceptHeartbeat, acceptReport } from "@xcloudflow/orchestrator/report-task";
import { planUnit, type SimulatedWorld } from "./simulated-world.ts";

/** What may go wrong with a worker; each is drawn a task. */
export type WorkerFate =
  | "well"
  | "diesBefore"
  | "diesAfter"
  | "freezes"
  | "losesReport"
  | "failsSafely"
  | "reportsTwice"
  | "handsBack"
  | "handsBackHalfway";

export interface SimulatedWorker {
  stop(): void;
  readonly fates: WorkerFate[];
}

const FATES: readonly WorkerFate[] = [
  "diesBefore",
  "diesAfter",
  "freezes",
  "losesReport",
  "failsSafely",
  "reportsTwice",
  "handsBack",
  "handsBackHalfway",
];

/**
 * Claims tasks of whatever orchestrator is alive, works on simulated time with heartbeats, and meets its fate. A worker
 * that dies comes back under a new name. Like a real host it never changes the cloud after its lease has run out.
 */
export function startSimulatedWorker(options: {
  readonly name: string;
  /** Asks whatever orchestrator is alive. */
  readonly ask: <T>(call: (context: OrchestratorContext) => Promise<T>) => Promise<T>;
  readonly world: SimulatedWorld;
  readonly clock: Clock;
  readonly random: Random;
  readonly faultRate: () => number;
}): SimulatedWorker {
  const { world, clock, random, ask } = options;
  const stopping = new AbortController();
  const fates: WorkerFate[] = [];
  let life = 0;

  function drawFate(): WorkerFate {
    const fate = random.float() < options.faultRate() ? (FATES[random.integer(FATES.length)] ?? "well") : "well";
    fates.push(fate);
    return fate;
  }

  async function work(): Promise<void> {
    while (!stopping.signal.aborted) {
      const worker = `${options.name}-${life}`;
      try {
        const query = { worker, engines: [{ name: "terraform", version: "1.0.0" }], pool: "", waitMilliseconds: 5_000 };
        const assignment = await ask((context) => waitForTask(context, "default", query, stopping.signal));
        if (assignment === undefined) {
          await pause(clock, 50 + random.integer(200), stopping.signal);
          continue;
        }
        await perform(
          worker,
          assignment.task,
          Number(assignment.attempt),
          assignment.specDocument,
          Date.parse(assignment.leaseExpiresAt),
        );
      } catch {
        // A lost call or a crashed orchestrator: the worker's own loop only tries again.
        if (!stopping.signal.aborted)
          await pause(clock, 100 + random.integer(500), stopping.signal).catch(() => undefined);
      }
    }
  }

  async function perform(
    worker: string,
    task: string,
    attempt: number,
    document: Uint8Array,
    leaseEnds: number,
  ): Promise<void> {
    const spec = taskSpecSchema.parse(parseJson(new TextDecoder().decode(document), task));
    const fate = drawFate();
    let lease = leaseEnds;
    const report = (result: TaskResult): Promise<void> =>
      ask((context) => acceptReport(context, "default", { worker, task, attempt, result, lines: [] }));
    for (let beat = random.integer(3); beat > 0; beat -= 1) {
      await pause(clock, 2_000 + random.integer(4_000), stopping.signal);
      const { verdict, leaseExpiresAt } = await ask((context) =>
        acceptHeartbeat(context, "default", worker, { task, attempt, lines: [], progress: [] }),
      );
      if (verdict === "lost") return;
      lease = Date.parse(leaseExpiresAt);
    }
    if (fate === "diesBefore") {
      life += 1;
      return;
    }
    if (fate === "freezes") await pause(clock, 60_000 + random.integer(60_000), stopping.signal);
    if (clock.now().getTime() >= lease) {
      // Thawed too late: its engine is dead; what it still says must decide nothing.
      await report({ kind: "verified", converged: true, changes: [], outputs: {} });
      throw new Error("a report after the lease was accepted");
    }
    const result = outcomeOf(fate, spec.kind, () => act(spec.kind, spec.address, attempt));
    if (fate === "diesAfter" || fate === "losesReport") {
      life += 1;
      return;
    }
    await report(result);
    if (result.kind === "released") life += 1;
    if (fate === "reportsTwice") await report(result);
  }

  function act(kind: string, unit: string, attempt: number): TaskResult {
    const plan = planUnit(world, unit, clock.now().getTime());
    switch (kind) {
      case "plan":
        return { kind: "planned", plan };
      case "inspect":
        return { kind: "inspected", plan, recoveredState: false };
      case "verify":
        return {
          kind: "verified",
          converged: plan.status === "unchanged",
          changes: plan.changes,
          outputs: plan.outputs,
        };
      default: {
        if ((world.fences.get(unit) ?? 0) > attempt)
          throw new Error(`attempt ${attempt} wrote behind fence ${world.fences.get(unit)}`);
        const wanted = world.units.find((other) => other.address === unit)?.contentHash ?? "";
        world.cloud.set(unit, wanted);
        world.effects.push({ unit, changeSet: "", attempt, at: clock.now().getTime() });
        return { kind: "applied", outputs: plan.outputs, serial: attempt, lineage: "line" };
      }
    }
  }

  void work();
  return { fates, stop: () => stopping.abort() };
}

/** A worker that ends hands back what has not begun; an apply it had to interrupt may have done anything, or all of it. */
function outcomeOf(fate: WorkerFate, kind: string, act: () => TaskResult): TaskResult {
  if (fate === "failsSafely") return safeFailure();
  if (fate === "handsBack") return { kind: "released", effects: "none" };
  if (fate !== "handsBackHalfway") return act();
  if (kind === "apply") act();
  return { kind: "released", effects: "possible" };
}

function safeFailure(): TaskResult {
  return {
    kind: "failed",
    failure: { code: "TRY_AGAIN", message: "a passing fault" },
    effects: "none",
    retryable: true,
  };
}
