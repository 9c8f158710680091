import assert from "node:assert/strict";
import type { MemoryOrchestratorStore } from "@xcloudflow/orchestrator/memory-orchestrator-store";
import type { SimulatedWorld } from "./simulated-world.ts";

/** What must hold after every step of every schedule. */
export function checkInvariants(store: MemoryOrchestratorStore, world: SimulatedWorld): void {
  effectsAreApprovedAndOrdered(store, world);
  attemptsAreAlone(store);
  countersAgree(store);
}

/** Nothing is applied before its gate, before what it depends on, or twice. */
function effectsAreApprovedAndOrdered(store: MemoryOrchestratorStore, world: SimulatedWorld): void {
  const first = new Map<string, number>();
  for (const [index, effect] of world.effects.entries()) {
    assert.ok(!first.has(effect.unit), `${effect.unit} was applied twice`);
    first.set(effect.unit, index);
  }
  if (world.effects.length > 0)
    assert.ok(
      [...store.tablesOf("default").approval.values()].some((approval) => approval.decision === "approve"),
      "something was applied before anybody approved",
    );
  for (const { from, to } of world.edges) {
    const consumer = first.get(to);
    const producer = first.get(from);
    if (consumer !== undefined)
      assert.ok(producer !== undefined && producer < consumer, `${to} was applied before ${from}`);
  }
}

/** At most one open task a unit and run, at most one running attempt a unit that may write. */
function attemptsAreAlone(store: MemoryOrchestratorStore): void {
  const open = new Set<string>();
  for (const task of store.tablesOf("default").task.values()) {
    if (task.status !== "queued" && task.status !== "leased") continue;
    const key = `${task.run} ${task.unit}`;
    assert.ok(!open.has(key), `two open tasks for ${key}`);
    open.add(key);
  }
  const numbers = new Set<string>();
  for (const attempt of store.tablesOf("default").attempt.values()) {
    const key = `${attempt.unit} ${attempt.attempt}`;
    assert.ok(!numbers.has(key), `attempt number used twice: ${key}`);
    numbers.add(key);
  }
}

/** A run's count of unfinished steps is what its steps say; ended steps have an end. */
function countersAgree(store: MemoryOrchestratorStore): void {
  for (const run of store.tablesOf("default").run.values()) {
    const steps = [...store.tablesOf("default").step.values()].filter((step) => step.run === run.id);
    if (steps.length === 0 || run.phase === "done") continue;
    const unfinished = steps.filter((step) => step.endedAt === null).length;
    assert.equal(
      run.unfinished,
      unfinished,
      `${run.id} counts ${run.unfinished} unfinished steps, there are ${unfinished}`,
    );
  }
}
