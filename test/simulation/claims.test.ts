import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EVERY_TENANT } from "@xcloudflow/chassis/caller";
import { createSequentialIds } from "@xcloudflow/chassis/ids";
import { createSeededRandom } from "@xcloudflow/chassis/random";
import { createSimulatedClock } from "@xcloudflow/chassis/simulated-clock";
import { rotateAfter, waitForTask } from "@xcloudflow/orchestrator/claim-task";
import { createMemoryOrchestratorStore } from "@xcloudflow/orchestrator/memory-orchestrator-store";
import { DEFAULT_TIMING, type OrchestratorContext } from "@xcloudflow/orchestrator/orchestrator-context";
import { createOrchestrator } from "@xcloudflow/orchestrator/orchestrator-service";
import { acceptHeartbeat, acceptReport } from "@xcloudflow/orchestrator/report-task";
import { queueTask, specifyTask } from "@xcloudflow/orchestrator/task-specs";
import { aRun, aStep, NOON } from "../support/orchestrator-rows.ts";
import { createSimulatedWorld } from "./simulated-world.ts";

function startOrchestrator() {
  const clock = createSimulatedClock(new Date(NOON));
  const random = createSeededRandom(1);
  const world = createSimulatedWorld(random);
  const store = createMemoryOrchestratorStore();
  const { planner, policy, state, secrets } = world;
  const orchestrator = createOrchestrator({
    ...{ store, planner, policy, state, secrets, clock, random },
    ids: createSequentialIds(),
    signAttempt: async (claims) => `token of ${claims.tenant}`,
    timing: DEFAULT_TIMING,
    soleProcess: false,
    onError: () => undefined,
  });
  const [unit] = world.units;
  assert.ok(unit);

  /** Queues `count` plans for a tenant; ids and units are the same for every tenant on purpose. */
  async function queue(tenant: string, count: number): Promise<void> {
    const run = aRun({ kind: "plan", phase: "planning", unfinished: count });
    await store.transact(tenant, "queue", async (tx) => {
      for (let number = 0; number < count; number += 1) {
        const address = `${unit?.address}-${number}`;
        const wish = { kind: "plan", inputs: {}, provisional: false, destroy: false } as const;
        const spec = specifyTask(tenant, "sim", { ...(unit as typeof unit & object), address }, wish, 60);
        await tx.write([
          { put: "run", row: run },
          { put: "step", row: aStep({ unit: address, stage: "plan" }) },
          { put: "task", row: queueTask(`task_${number}`, run, spec, [], NOON) },
        ]);
      }
    });
  }
  return { context: orchestrator.context, store, queue };
}

const QUERY = { worker: "w", engines: [{ name: "terraform", version: "1.0.0" }], pool: "", waitMilliseconds: 0 };

async function claimAll(context: OrchestratorContext): Promise<string[]> {
  const tenants: string[] = [];
  for (;;) {
    const assignment = await waitForTask(context, EVERY_TENANT, QUERY, new AbortController().signal);
    if (assignment === undefined) return tenants;
    assert.equal(assignment.attemptToken, `token of ${assignment.tenant}`);
    tenants.push(assignment.tenant);
  }
}

describe("a worker that serves every tenant", () => {
  test("takes from each tenant in turn, whoever has most to do", async () => {
    const { context, queue } = startOrchestrator();
    await queue("busy", 5);
    await queue("calm", 2);
    await queue("quiet", 1);
    assert.deepEqual(await claimAll(context), ["busy", "calm", "quiet", "busy", "calm", "busy", "busy", "busy"]);
  });

  test("heartbeats and reports as the tenant of its attempt, and as no other", async () => {
    const { context, queue, store } = startOrchestrator();
    await queue("ada", 1);
    await queue("bob", 1);
    const signal = new AbortController().signal;
    const assignment = await waitForTask(context, EVERY_TENANT, QUERY, signal);
    assert.equal(assignment?.tenant, "ada");
    const beat = { task: assignment.task, attempt: Number(assignment.attempt), lines: [], progress: [] };
    assert.equal((await acceptHeartbeat(context, "ada", "w", beat)).verdict, "renewed");
    assert.equal((await acceptHeartbeat(context, "bob", "w", beat)).verdict, "lost");
    await assert.rejects(acceptHeartbeat(context, EVERY_TENANT, "w", beat), { code: "SCOPE_INVALID" });
    const failure = { code: "NO", message: "no" };
    const result = { kind: "failed", failure, effects: "none", retryable: false } as const;
    const report = { worker: "w", task: beat.task, attempt: beat.attempt, result, lines: [] };
    await assert.rejects(acceptReport(context, "bob", report), { code: "LEASE_LOST" });
    await acceptReport(context, "ada", report);
    assert.equal(store.tablesOf("ada").task.get("task_0")?.status, "failed");
    assert.equal(store.tablesOf("bob").task.get("task_0")?.status, "queued");
  });

  test("is known to every tenant that has a run", async () => {
    const { context, queue, store } = startOrchestrator();
    await queue("ada", 1);
    await queue("bob", 1);
    await waitForTask(context, EVERY_TENANT, QUERY, new AbortController().signal);
    for (const tenant of ["ada", "bob"]) assert.deepEqual([...store.tablesOf(tenant).worker.keys()], ["w"]);
  });

  test("of one tenant takes nothing of another", async () => {
    const { context, queue } = startOrchestrator();
    await queue("ada", 1);
    const signal = new AbortController().signal;
    assert.equal(await waitForTask(context, "bob", QUERY, signal), undefined);
    assert.equal((await waitForTask(context, "ada", QUERY, signal))?.tenant, "ada");
  });
});

test("turns begin after the last name, whether it is still there or not", () => {
  assert.deepEqual(rotateAfter(["a", "c", "e"], ""), ["a", "c", "e"]);
  assert.deepEqual(rotateAfter(["a", "c", "e"], "a"), ["c", "e", "a"]);
  assert.deepEqual(rotateAfter(["a", "c", "e"], "d"), ["e", "a", "c"]);
  assert.deepEqual(rotateAfter(["a", "c", "e"], "e"), ["a", "c", "e"]);
  assert.deepEqual(rotateAfter([], "e"), []);
});
