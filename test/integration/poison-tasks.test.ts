import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { as, type Caller } from "@xcloudflow/chassis/caller";
import { createClients, createCodedClient } from "@xcloudflow/chassis/clients";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { createSequentialIds } from "@xcloudflow/chassis/ids";
import { createLogger, silentLogger } from "@xcloudflow/chassis/logger";
import { createMemoryTransport } from "@xcloudflow/chassis/memory-transport";
import { createSeededRandom } from "@xcloudflow/chassis/random";
import { createSimulatedClock } from "@xcloudflow/chassis/simulated-clock";
import type { TaskKind } from "@xcloudflow/model/task-spec";
import { createMemoryOrchestratorStore } from "@xcloudflow/orchestrator/memory-orchestrator-store";
import { DEFAULT_TIMING } from "@xcloudflow/orchestrator/orchestrator-context";
import { createOrchestrator } from "@xcloudflow/orchestrator/orchestrator-service";
import { queueTask, specifyTask } from "@xcloudflow/orchestrator/task-specs";
import { OrchestratorService } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { asRunner } from "@xcloudflow/runner-host/worker-clients";
import { createWorker } from "@xcloudflow/runner-host/worker-loop";
import { createSimulatedWorld } from "../simulation/simulated-world.ts";
import { aRun, aStep, NOON } from "../support/orchestrator-rows.ts";

const runner: Caller = { tenant: "ada", subject: "runner:w", groups: [], roles: ["runner"], assurance: "service" };
const CLAIM = { worker: "w", engines: [{ name: "terraform", version: "1.0.0" }], pool: "", waitSeconds: 0 };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** An orchestrator with one task queued, whose text may be replaced, and a worker's view of it. */
async function startWith(kind: TaskKind, replace: (spec: string) => string = (spec) => spec) {
  const clock = createSimulatedClock(new Date(NOON));
  const random = createSeededRandom(1);
  const { planner, policy, state, secrets, units } = createSimulatedWorld(random);
  const store = createMemoryOrchestratorStore();
  const orchestrator = createOrchestrator({
    ...{ store, planner, policy, state, secrets, clock, random },
    ids: createSequentialIds(),
    signAttempt: async () => "token",
    timing: DEFAULT_TIMING,
    soleProcess: false,
    onError: () => undefined,
  });
  const [unit] = units;
  assert.ok(unit);
  const run = aRun({ unfinished: 2 });
  await store.transact("ada", "queue", async (tx) => {
    for (const [number, spoil] of [replace, (spec: string) => spec].entries()) {
      const address = `${unit.address}-${number}`;
      const wish = { kind, inputs: {}, provisional: false, destroy: false } as const;
      const spec = specifyTask("ada", "sim", { ...unit, address }, wish, 60);
      const task = queueTask(`task_${number}`, run, spec, [], NOON);
      await tx.write([
        { put: "run", row: run },
        { put: "step", row: aStep({ unit: address, stage: kind === "apply" ? "apply" : "plan" }) },
        { put: "task", row: { ...task, spec: spoil(task.spec) } },
      ]);
    }
  });
  const transport = createMemoryTransport([(router) => void router.service(OrchestratorService, orchestrator.rpc)], {
    logger: silentLogger,
    clock: createSystemClock(),
    newReference: () => "ref",
  });
  const client = createCodedClient(OrchestratorService, transport);
  return {
    claim: async () => (await client.claimTask(CLAIM, as(runner))).assignment,
    report: (attempt: bigint, document: string) =>
      client.reportTask({ worker: "w", task: "task_0", attempt, resultDocument: bytes(document) }, as(runner)),
    task: () => store.tablesOf("ada").task.get("task_0"),
    step: () => [...store.tablesOf("ada").step.values()].find((step) => step.unit.endsWith("-0")),
    attempts: () => [...store.tablesOf("ada").attempt.values()].filter(({ task }) => task === "task_0"),
  };
}

describe("a task that nobody can read", () => {
  test("fails with a sentence at its first claim, and the next task is handed out instead", async () => {
    for (const spoil of [() => "{", () => "{}", (spec: string) => spec.replace('"kind"', '"kin"')]) {
      const plane = await startWith("apply", spoil);
      assert.equal((await plane.claim())?.task, "task_1");
      assert.equal(plane.task()?.status, "failed");
      assert.equal(plane.step()?.status, "failed");
      assert.match(plane.step()?.reason ?? "", /TASK_UNREADABLE.*task_0/);
      assert.deepEqual(
        plane.attempts().map(({ outcome }) => outcome),
        ["failed"],
      );
      assert.equal(await plane.claim(), undefined);
    }
  });

  test("is reported by a worker of another version, which goes on working", async () => {
    const folder = await mkdtemp(join(tmpdir(), "xcf-poison-"));
    const reports: unknown[] = [];
    const log: string[] = [];
    const tasks = ["{", '{"kind": "tomorrow"}', "\u0000"];
    const { promise: done, resolve } = Promise.withResolvers<void>();
    const transport = createMemoryTransport(
      [
        (router) =>
          void router.service(OrchestratorService, {
            claimTask() {
              const spec = tasks.shift();
              if (spec === undefined) return {};
              const task = `task_${tasks.length}`;
              return { assignment: { task, tenant: "ada", unit: "u", attempt: 1n, specDocument: bytes(spec) } };
            },
            reportTask({ task, resultDocument }) {
              reports.push({ task, ...JSON.parse(new TextDecoder().decode(resultDocument)) });
              if (reports.length === 3) resolve();
              return {};
            },
          }),
      ],
      { logger: silentLogger, clock: createSystemClock(), newReference: () => "ref" },
    );
    const clients = createClients(transport);
    const worker = createWorker({
      clientsOf: (tenant) => asRunner(clients, "runner:w", tenant),
      tenant: "*",
      name: "w",
      engines: [],
      clock: createSystemClock(),
      logger: createLogger({ level: "warn", now: () => new Date(), write: (line) => void log.push(line) }),
      scratchRoot: join(folder, "scratch"),
      cacheRoot: join(folder, "cache"),
      stateHttpAddress: "http://127.0.0.1:1",
      concurrency: 1,
      environment: {},
      claimWaitSeconds: 0,
    });
    try {
      await done;
    } finally {
      await worker.close();
      await rm(folder, { recursive: true, force: true });
    }
    for (const report of reports) {
      assert.ok(typeof report === "object" && report !== null && "failure" in report && "effects" in report);
      assert.match(JSON.stringify(report.failure), /TASK_UNREADABLE/);
      assert.equal(report.effects, "none");
    }
    assert.equal(log.filter((line) => line.includes("a task cannot be read")).length, 3);
  });
});

describe("a result that nobody can read", () => {
  for (const document of ["{", "{}", '{"kind":"planned"}', '{"kind":"applied","outputs":[]}'])
    test(`of a plan counts as a passing failure that is told once a try: ${document}`, async () => {
      const plane = await startWith("plan");
      const assignment = await plane.claim();
      assert.equal(assignment?.task, "task_0");
      await assert.rejects(plane.report(assignment.attempt, document), { code: "DOCUMENT_INVALID" });
      assert.equal(plane.task()?.status, "queued");
      assert.deepEqual(
        plane.attempts().map(({ outcome, detail }) => [outcome, detail?.split(":")[0]]),
        [["failed", "RESULT_UNREADABLE"]],
      );
    });

  test("of an apply is no result: its outcome is unknown, and the lease decides", async () => {
    const plane = await startWith("apply");
    const assignment = await plane.claim();
    assert.ok(assignment);
    await assert.rejects(plane.report(assignment.attempt, "{}"), { code: "DOCUMENT_INVALID" });
    assert.equal(plane.task()?.status, "leased");
    assert.equal(plane.attempts()[0]?.outcome, "running");
  });
});
