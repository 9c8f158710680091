import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import type { Caller } from "@xcloudflow/chassis/caller";
import { createSequentialIds } from "@xcloudflow/chassis/ids";
import { createSeededRandom } from "@xcloudflow/chassis/random";
import { createSimulatedClock } from "@xcloudflow/chassis/simulated-clock";
import { createMemoryOrchestratorStore } from "@xcloudflow/orchestrator/memory-orchestrator-store";
import { DEFAULT_TIMING, type OrchestratorContext } from "@xcloudflow/orchestrator/orchestrator-context";
import { createOrchestrator, type Orchestrator } from "@xcloudflow/orchestrator/orchestrator-service";
import { startRun } from "@xcloudflow/orchestrator/start-run";
import { voteOn } from "@xcloudflow/orchestrator/vote";
import { StartRunRequestSchema } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { checkInvariants } from "./invariants.ts";
import { startSimulatedWorker } from "./simulated-worker.ts";
import { createSimulatedWorld } from "./simulated-world.ts";

export interface SimulationReport {
  readonly seed: number;
  readonly steps: number;
  readonly faults: number;
  readonly outcome: string;
}

const AUTHOR: Caller = {
  tenant: "default",
  subject: "author@example.com",
  groups: [],
  roles: ["admin", "approver"],
  assurance: "asserted",
};
const APPROVER: Caller = { ...AUTHOR, subject: "lead@example.com" };
const MOST_STEPS = 20_000;

/**
 * One schedule: a plan, an approval and an apply on random units, with workers that die, freeze and repeat themselves,
 * services that do not answer, and an orchestrator that crashes and recovers. Everything is drawn from the seed; time
 * moves only when nothing else can.
 */
export async function simulate(seed: number): Promise<SimulationReport> {
  const random = createSeededRandom(seed);
  const clock = createSimulatedClock();
  const ids = createSequentialIds();
  const store = createMemoryOrchestratorStore();
  const world = createSimulatedWorld(random);
  let faultRate = 0.15;
  let crashes = 0;
  let current = start();

  function start(): { orchestrator: Orchestrator; context: OrchestratorContext } {
    const options = {
      store,
      planner: world.planner,
      policy: world.policy,
      state: world.state,
      secrets: world.secrets,
      clock,
      ids,
      random,
      signAttempt: async () => "token",
      timing: DEFAULT_TIMING,
      soleProcess: false,
      onError: () => undefined,
    };
    const orchestrator = createOrchestrator(options);
    return { orchestrator, context: orchestrator.context };
  }

  const workers = ["a", "b", "c"].map((name) =>
    startSimulatedWorker({ name, context: () => current.context, world, clock, random, faultRate: () => faultRate }),
  );
  world.faultRate = 0.03;
  await current.orchestrator.recover();
  const planRun = await startRun(
    current.context,
    "default",
    AUTHOR,
    create(StartRunRequestSchema, { kind: "plan", repository: "/repository" }),
  );

  let steps = 0;
  let applyRun: string | undefined;
  for (; steps < MOST_STEPS; steps += 1) {
    await settle();
    const plan = store.tablesOf("default").run.get(planRun.id);
    const apply = applyRun === undefined ? undefined : store.tablesOf("default").run.get(applyRun);
    checkInvariants(store, world);
    if (plan?.phase === "done" && plan.status !== "succeeded") break;
    if (apply?.phase === "done") break;
    if (plan?.changeSet != null && applyRun === undefined) {
      applyRun = (
        await startRun(
          current.context,
          "default",
          AUTHOR,
          create(StartRunRequestSchema, { kind: "apply", changeSet: plan.changeSet }),
        )
      ).id;
    } else if (apply?.waitingKind === "approval" && random.float() < 0.3) {
      await voteOn(current.context, "default", APPROVER, "approve", {
        changeSet: apply.changeSet ?? "",
        digest: "",
        comment: "",
      });
    } else if (steps < 2_000 && random.float() < 0.02) {
      crashes += 1;
      void current.orchestrator.close();
      current = start();
      await current.orchestrator.recover();
    } else if (!clock.runNext()) break;
    // In the end faults stop: what is left must come to an end by itself.
    if (steps === 4_000) {
      faultRate = 0;
      world.faultRate = 0;
    }
  }
  for (const worker of workers) worker.stop();
  void current.orchestrator.close();
  await settle();

  const apply = applyRun === undefined ? undefined : store.tablesOf("default").run.get(applyRun);
  const plan = store.tablesOf("default").run.get(planRun.id);
  assert.ok(
    steps < MOST_STEPS,
    `seed ${seed}: no end after ${steps} steps (plan ${plan?.phase}/${plan?.status}, apply ${apply?.phase}/${apply?.status} ${apply?.waitingFor ?? ""})`,
  );
  assert.ok(plan?.phase === "done", `seed ${seed}: the plan run stays in ${plan?.phase}`);
  if (apply !== undefined) {
    assert.equal(apply.phase, "done", `seed ${seed}: the apply run stays in ${apply.phase}`);
    if (apply.status === "succeeded") {
      for (const unit of world.units)
        assert.equal(
          world.effects.filter((effect) => effect.unit === unit.address).length,
          1,
          `seed ${seed}: ${unit.address} was not applied exactly once`,
        );
      assert.equal(store.tablesOf("default").lock.size, 0, `seed ${seed}: locks are left`);
    }
  }
  const faults =
    world.faults + crashes + workers.flatMap((worker) => worker.fates).filter((fate) => fate !== "well").length;
  return { seed, steps, faults, outcome: `${plan.status}/${apply?.status ?? "-"}` };
}

/** Lets every promise that can go on without time go on. */
async function settle(): Promise<void> {
  await nextTurn();
}
