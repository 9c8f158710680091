import assert from "node:assert/strict";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createSequentialIds } from "@xcloudflow/chassis/ids";
import { createSeededRandom } from "@xcloudflow/chassis/random";
import { createSimulatedClock } from "@xcloudflow/chassis/simulated-clock";
import { createMemoryOrchestratorStore } from "@xcloudflow/orchestrator/memory-orchestrator-store";
import { DEFAULT_TIMING, type OrchestratorContext } from "@xcloudflow/orchestrator/orchestrator-context";
import { checkInvariants } from "./invariants.ts";
import { startSimulatedAuthor } from "./simulated-author.ts";
import { type SimulatedReplica, startSimulatedReplica } from "./simulated-replica.ts";
import { startSimulatedWorker } from "./simulated-worker.ts";
import { createSimulatedWorld } from "./simulated-world.ts";

export interface SimulationReport {
  readonly seed: number;
  readonly steps: number;
  readonly faults: number;
  readonly outcome: string;
}

const MOST_STEPS = 20_000;

/**
 * One schedule: a plan, an approval and an apply on random units, with one to three orchestrators over one store, workers
 * that die, freeze and repeat themselves, services that do not answer or take long, and orchestrators that crash in the
 * middle of anything and come back later. Everything is drawn from the seed; time moves only when nothing else can.
 */
export async function simulate(seed: number): Promise<SimulationReport> {
  const random = createSeededRandom(seed);
  const clock = createSimulatedClock();
  const ids = createSequentialIds();
  const store = createMemoryOrchestratorStore();
  const world = createSimulatedWorld(random);
  let faultRate = 0.15;
  let slowness = [0.002, 0.01, 0.05][random.integer(3)] ?? 0;
  // Without it every replica drives every run at every sweep: the lease saves work, it does not keep anything right.
  const driveLease = random.float() < 0.5 ? DEFAULT_TIMING.drive : 0;
  let crashes = 0;
  let born = 0;
  const replicas = Array.from({ length: 1 + random.integer(3) }, start);

  function start(): SimulatedReplica {
    born += 1;
    return startSimulatedReplica({
      name: `replica-${born}`,
      store,
      world,
      clock,
      ids,
      random,
      timing: { ...DEFAULT_TIMING, drive: driveLease },
      slowness: () => slowness,
    });
  }

  /** One orchestrator dies; its place is taken at once or, where others are left, perhaps much later. */
  function crash(): void {
    const place = random.integer(replicas.length);
    const victim = replicas[place];
    if (victim?.alive !== true) return;
    crashes += 1;
    victim.crash();
    const reborn = (): void => {
      replicas[place] = start();
    };
    if (random.float() < 0.5) reborn();
    else clock.schedule(random.integer(60_000), reborn);
  }

  async function ask<T>(call: (context: OrchestratorContext) => Promise<T>): Promise<T> {
    const alive = replicas.filter((replica) => replica.alive);
    const chosen = alive[random.integer(Math.max(1, alive.length))];
    if (chosen === undefined) throw new Error("no orchestrator answers");
    return chosen.ask(call);
  }

  const workers = ["a", "b", "c"].map((name) =>
    startSimulatedWorker({ name, ask, world, clock, random, faultRate: () => faultRate }),
  );
  world.faultRate = 0.03;
  const author = startSimulatedAuthor({ ask, clock, random });

  let steps = 0;
  for (; steps < MOST_STEPS; steps += 1) {
    await settle();
    checkInvariants(store, world);
    const { planRun, applyRun } = author;
    const plan = store.tablesOf("default").run.get(planRun ?? "");
    const apply = store.tablesOf("default").run.get(applyRun ?? "");
    if (plan?.phase === "done" && plan.status !== "succeeded") break;
    if (apply?.phase === "done") break;
    if (steps < 2_000 && random.float() < 0.02) crash();
    else if (!clock.runNext()) break;
    // In the end faults stop: what is left must come to an end by itself.
    if (steps === 4_000) {
      faultRate = 0;
      slowness = 0;
      world.faultRate = 0;
    }
  }
  author.stop();
  for (const worker of workers) worker.stop();
  for (const replica of replicas) replica.crash();
  await settle();

  const plan = store.tablesOf("default").run.get(author.planRun ?? "");
  const apply = store.tablesOf("default").run.get(author.applyRun ?? "");
  assert.equal(
    store.tablesOf("default").run.size,
    1 + Number(apply !== undefined),
    `seed ${seed}: a run started twice`,
  );
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
