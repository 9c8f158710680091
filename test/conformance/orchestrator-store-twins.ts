import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import type { Change } from "@xcloudflow/orchestrator/decision";
import { createMemoryOrchestratorStore } from "@xcloudflow/orchestrator/memory-orchestrator-store";
import type { OrchestratorStore, OrchestratorTransaction } from "@xcloudflow/orchestrator/orchestrator-store";
import fc from "fast-check";
import {
  aChangeSet,
  aLock,
  anApproval,
  anAttempt,
  anEdge,
  anUpdate,
  aRun,
  aStep,
  aTask,
} from "../support/orchestrator-rows.ts";
import { put } from "./orchestrator-store.ts";

/** Few names, so that rows meet; in the orders that databases get wrong: case, digits, punctuation. */
const name = fc.constantFrom("a", "b", "c-1", "c_1", "c/1", "c@1", "10", "9");
const text = fc.constantFrom("", "x", "it's", 'a "quoted" \\ text', "ünï¢ødé ☃", "line\nline", "%_$1");
const time = fc.constantFrom("1", "2", "3", "4");
const small = fc.integer({ min: 0, max: 3 });
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });

const changes: fc.Arbitrary<Change> = fc.oneof(
  fc
    .record({
      id: name,
      phase: fc.constantFrom("checking", "executing", "done"),
      environment: name,
      // Keys are as unique as ids here; that two runs never share one is a test of its own.
      idempotencyKey: fc.constant(null),
      waitingFor: maybe(text),
      unfinished: small,
      createdAt: time,
      sequence: small,
    } as const)
    .map((row) => put("run", aRun(row))),
  fc
    .record({
      run: name,
      unit: name,
      status: fc.constantFrom("pending", "ready", "running", "recording", "waiting", "failed"),
      destroy: fc.boolean(),
      attempts: small,
      reason: maybe(text),
      plan: maybe(text),
      result: maybe(text),
      endedAt: maybe(time),
    } as const)
    .map((row) => put("step", aStep(row))),
  fc.record({ run: name, from: name, to: name }).map(({ run, from, to }) => put("stepEdge", anEdge(from, to, run))),
  fc
    .record({
      id: name,
      run: name,
      environment: name,
      kind: fc.constantFrom("plan", "apply", "verify", "restore", "inspect"),
      engine: fc.constantFrom("terraform", "pulumi"),
      pool: fc.constantFrom("plan", "apply"),
      status: fc.constantFrom("queued", "leased", "done"),
      availableAt: time,
      leaseExpiresAt: maybe(time),
      concurrency: small,
      createdAt: time,
      cancelRequested: fc.boolean(),
    } as const)
    .map((row) => put("task", aTask(row))),
  fc
    .record({ task: name, attempt: small, unit: name, detail: maybe(text) })
    .map((row) => put("attempt", anAttempt(row))),
  fc
    .record({
      id: name,
      environment: name,
      phase: fc.constantFrom("open", "approved", "running", "closed"),
      author: name,
      series: name,
      parent: maybe(name),
    } as const)
    .map((row) => put("changeSet", aChangeSet(row))),
  fc.record({ changeSet: name, subject: name, comment: text, at: time }).map((row) => put("approval", anApproval(row))),
  fc
    .record({ kind: fc.constantFrom("unit", "tier"), name, run: name, reason: text } as const)
    .map((row) => put("lock", aLock(row))),
  fc
    .record({ kind: fc.constantFrom("unit", "tier"), name, run: name } as const)
    .map((row): Change => ({ drop: "lock", row: aLock(row) })),
  fc
    .record({ run: name, sequence: small, kind: fc.constantFrom("log", "progress") } as const)
    .map(({ run, sequence, kind }) => put("runUpdate", anUpdate(sequence, kind, run))),
  fc
    .record({ repository: name, environment: name, commit: text, changedAt: time })
    .map((row) => put("governance", { ...row })),
  fc.record({ unit: name, value: small }).map((row) => put("unitFence", { ...row })),
  fc.record({ id: name, engines: text, seenAt: time }).map((row) => put("worker", { ...row })),
);

const writes = fc.array(
  fc.oneof(
    fc.array(changes, { maxLength: 12 }).map((list) => ({ kind: "write", list }) as const),
    fc.record({ kind: fc.constant("raise"), unit: name } as const),
    fc.record({ kind: fc.constant("lease"), replica: name, driving: fc.array(name), now: small, for: small } as const),
  ),
  { maxLength: 12 },
);

type Write = typeof writes extends fc.Arbitrary<(infer W)[]> ? W : never;

async function perform(tx: OrchestratorTransaction, write: Write): Promise<unknown> {
  if (write.kind === "write") return tx.write(write.list);
  if (write.kind === "raise") return tx.raiseFence(write.unit);
  const { replica, driving, now } = write;
  return tx.leaseDrives({ replica, driving, now: `${now}`, until: `${now + write.for}`, unclaimedBefore: "2" });
}

/** Everything that can be asked, over the few names there are. */
async function readAll(tx: OrchestratorTransaction, names: readonly string[]): Promise<unknown[]> {
  const answers: unknown[] = [await tx.locks(), await tx.runs({ limit: 5 }), await tx.runs({ limit: 3, before: "b" })];
  answers.push(await tx.changeSets({ limit: 4 }), await tx.workers("2"), await tx.expiredTasks({ before: "3" }));
  for (const pool of ["", "plan", "apply"])
    for (const engines of [["terraform"], ["terraform", "pulumi"]])
      answers.push(await tx.claimableTask({ engines, pool, now: "3" }));
  for (const id of names) {
    answers.push(
      await tx.lockRunOfTask(id),
      await tx.steps(id),
      await tx.stepSummaries(id),
      await tx.stepsToDrive(id),
      await tx.stepAndAfter(id, "a"),
      await tx.stepsAfter(id, "c-1"),
      await tx.edges(id),
      await tx.stepsOfUnit(id, 3),
      await tx.openTasks(id),
      await tx.attempts(id, 3),
      await tx.fence(id),
      await tx.changeSets({ environment: id, phase: "open", limit: 3 }),
      await tx.changeSets({ author: id, before: "c/1", limit: 3 }),
      await tx.changeSets({ parent: id, limit: 3 }),
      await tx.approvals(id),
      await tx.governance(id),
      await tx.updates(id, 0, 3, true),
      await tx.updates(id, 0, 3, false),
    );
  }
  return answers;
}

/** The simulator is only worth what its store has in common with the real one. */
export function describeStoreTwins(title: string, open: () => Promise<OrchestratorStore>): void {
  describe(title, () => {
    let store: OrchestratorStore;
    before(async () => {
      store = await open();
    });

    test("answer the same to everything after the same writes", async () => {
      let tenants = 0;
      await fc.assert(
        fc.asyncProperty(writes, async (sequence) => {
          const memory = createMemoryOrchestratorStore();
          tenants += 1;
          const tenant = `twin-${tenants}`;
          for (const write of sequence) {
            const [mine, theirs] = [memory, store].map((side) =>
              side.transact(tenant, "twin", (tx) => perform(tx, write)),
            );
            assert.deepEqual(await theirs, await mine);
          }
          const names = ["a", "b", "c-1", "c_1", "c/1", "c@1", "10", "9"];
          const read = (side: OrchestratorStore) => side.transact(tenant, "twin", (tx) => readAll(tx, names));
          assert.deepEqual(await read(store), await read(memory));
        }),
        { numRuns: 60 },
      );
    });
  });
}
