import assert from "node:assert/strict";
import { before, beforeEach, describe, test } from "node:test";
import type { Change } from "@xcloudflow/orchestrator/decision";
import {
  type OrchestratorStore,
  type OrchestratorTransaction,
  RunKeyTakenError,
} from "@xcloudflow/orchestrator/orchestrator-store";
import type { Tables } from "@xcloudflow/orchestrator/rows";
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
  NOON,
} from "../support/orchestrator-rows.ts";

/** A row to write, named by its table. */
export function put<T extends keyof Tables>(table: T, row: Tables[T]): Change {
  return { put: table, row } as Change;
}

const LATER = "2026-01-01T13:00:00.000Z";
const ANY = { engines: ["terraform"], pool: "", now: NOON };

/** What holds for the orchestrator's rows wherever they are kept. */
export function describeOrchestratorStore(name: string, open: () => Promise<OrchestratorStore>): void {
  describe(name, () => {
    let store: OrchestratorStore;
    let tenant = "";
    let count = 0;
    before(async () => {
      store = await open();
    });
    beforeEach(() => {
      count += 1;
      tenant = `tenant-${count}`;
    });

    const transact = <T>(work: (tx: OrchestratorTransaction) => Promise<T>): Promise<T> =>
      store.transact(tenant, "work", work);
    const write = (...changes: Change[]): Promise<void> => transact((tx) => tx.write(changes));

    for (const { behaviour, rows, cases } of READS) {
      test(behaviour, async () => {
        await write(...rows);
        for (const [read, expected] of cases) assert.deepEqual(await transact(read), expected);
      });
    }

    test("a row with the same key replaces the old one whole", async () => {
      await write(put("step", aStep({ reason: "first", attempts: 2 })));
      await write(put("step", aStep({ status: "failed" })));
      assert.deepEqual(await transact((tx) => tx.steps("run_1")), [aStep({ status: "failed" })]);
    });

    test("of several rows with one key in one write the last counts", async () => {
      await write(put("run", aRun({ unfinished: 3 })), put("lock", aLock()), put("run", aRun({ unfinished: 2 })));
      assert.deepEqual(await transact((tx) => tx.run("run_1")), aRun({ unfinished: 2 }));
    });

    test("a removal comes before what the same write puts there", async () => {
      await write(put("lock", aLock()));
      await write(put("lock", aLock({ reason: "new" })), { drop: "lock", row: aLock() });
      assert.deepEqual(await transact((tx) => tx.locks()), [aLock({ reason: "new" })]);
      await write({ drop: "lock", row: aLock({ run: "run_2" }) });
      assert.equal((await transact((tx) => tx.locks())).length, 1, "another run's lock is another lock");
      await write({ drop: "lock", row: aLock({ reason: "any", mode: "shared" }) });
      assert.deepEqual(await transact((tx) => tx.locks()), []);
    });

    test("a transaction sees its own writes, and nothing of it is left when it throws", async () => {
      await assert.rejects(
        transact(async (tx) => {
          await tx.write([put("run", aRun())]);
          assert.deepEqual(await tx.run("run_1"), aRun());
          assert.equal(await tx.raiseFence("prod/shop/db"), 1);
          throw new Error("changed my mind");
        }),
        /changed my mind/,
      );
      assert.equal(await transact((tx) => tx.run("run_1")), undefined);
      assert.equal(await transact((tx) => tx.fence("prod/shop/db")), undefined);
    });

    test("a transaction inside another is refused, not waited for", async () => {
      await assert.rejects(
        transact(() => store.transact(tenant, "inner", (tx) => tx.run("run_1"))),
        { code: "TRANSACTION_NESTED" },
      );
    });

    test("a name that is no tenant's is refused", async () => {
      for (const name of ["", "*", "../other"])
        await assert.rejects(
          store.transact(name, "work", (tx) => tx.run("run_1")),
          { code: "SCOPE_INVALID" },
        );
    });

    test("a tenant sees and changes only its own rows", async () => {
      const other = `${tenant}-other`;
      await write(put("run", aRun()), put("lock", aLock()), put("task", aTask()), put("changeSet", aChangeSet()));
      await transact((tx) => tx.raiseFence("prod/shop/db"));
      await store.transact(other, "work", async (tx) => {
        assert.equal(await tx.run("run_1"), undefined);
        assert.equal(await tx.lockRunOfTask("task_1"), undefined);
        assert.equal(await tx.claimableTask(ANY), undefined);
        assert.deepEqual(await tx.locks(), []);
        assert.deepEqual(await tx.changeSets({ limit: 10 }), []);
        assert.equal(await tx.raiseFence("prod/shop/db"), 1);
        await tx.write([put("run", aRun({ status: "canceling" })), { drop: "lock", row: aLock() }]);
      });
      assert.deepEqual(await transact((tx) => tx.run("run_1")), aRun());
      assert.deepEqual(await transact((tx) => tx.locks()), [aLock()]);
    });

    test("tenants are active while a run of theirs is not done, and have tasks while one is queued for them", async () => {
      const mine = async () => (await store.activeTenants()).includes(tenant);
      const offered = async (query: Partial<typeof ANY> = {}) =>
        (await store.tenantsWithTasks({ ...ANY, ...query })).includes(tenant);
      await write(put("run", aRun({ status: "waiting" })), put("task", aTask({ availableAt: LATER })));
      assert.ok(await mine());
      assert.ok(!(await offered()), "not yet");
      assert.ok(await offered({ now: LATER }));
      assert.ok(await offered({ now: LATER, pool: "apply" }));
      assert.ok(!(await offered({ now: LATER, pool: "plan" })));
      assert.ok(!(await offered({ now: LATER, engines: ["pulumi"] })));
      await write(put("run", aRun({ phase: "done" })), put("task", aTask({ status: "leased" })));
      assert.ok(!(await mine()));
      assert.ok(!(await offered({ now: LATER })));
    });

    test("two runs never have one idempotency key; a run keeps its own", async () => {
      await write(put("run", aRun({ idempotencyKey: "key" })));
      await write(put("run", aRun({ idempotencyKey: "key", status: "canceling" })));
      await write(put("run", aRun({ id: "run_2" })), put("run", aRun({ id: "run_3" })));
      await assert.rejects(write(put("run", aRun({ id: "run_4", idempotencyKey: "key" }))), RunKeyTakenError);
      assert.equal(await transact((tx) => tx.run("run_4")), undefined);
      assert.equal((await transact((tx) => tx.runByKey("key")))?.id, "run_1");
      await store.transact(`${tenant}-other`, "work", (tx) => tx.write([put("run", aRun({ idempotencyKey: "key" }))]));
    });

    test("a fence counts from 1, a unit at a time", async () => {
      assert.equal(await transact((tx) => tx.raiseFence("a")), 1);
      assert.equal(await transact((tx) => tx.raiseFence("a")), 2);
      assert.equal(await transact((tx) => tx.raiseFence("b")), 1);
      assert.deepEqual(await transact((tx) => tx.fence("a")), { unit: "a", value: 2 });
      await write(put("unitFence", { unit: "b", value: 7 }));
      assert.equal(await transact((tx) => tx.raiseFence("b")), 8);
    });

    test("no more tasks of an environment write than their limit says; tasks that only read go on", async () => {
      await write(
        put("task", aTask({ id: "task_1", status: "leased", concurrency: 1 })),
        put("task", aTask({ id: "task_2", concurrency: 1 })),
        put("task", aTask({ id: "task_3", kind: "verify", concurrency: 1 })),
        put("task", aTask({ id: "task_4", environment: "dev", concurrency: 1 })),
        put("task", aTask({ id: "task_5", kind: "restore", environment: "dev", concurrency: 1, createdAt: LATER })),
      );
      const claim = () =>
        transact(async (tx) => {
          const task = await tx.claimableTask(ANY);
          if (task !== undefined) await tx.write([put("task", { ...task, status: "leased" })]);
          return task?.id;
        });
      assert.equal(await claim(), "task_3");
      assert.equal(await claim(), "task_4");
      assert.equal(await claim(), undefined);
      await write(put("task", aTask({ id: "task_1", status: "done" })));
      assert.equal(await claim(), "task_2");
      assert.equal(await claim(), undefined);
      await write(put("task", aTask({ id: "task_5", environment: "dev", kind: "restore", concurrency: 2 })));
      assert.equal(await claim(), "task_5", "the limit is the task's own");
    });

    test("a run is driven by one replica until its drive ends", async () => {
      const lease = (replica: string, now: string, until: string, driving: string[] = []) =>
        transact((tx) => tx.leaseDrives({ replica, driving, now, until, unclaimedBefore: NOON }));
      await write(
        put("run", aRun({ id: "run_1" })),
        put("run", aRun({ id: "run_2", status: "waiting" })),
        put("run", aRun({ id: "run_3", phase: "done" })),
        put("run", aRun({ id: "run_4", createdAt: LATER })),
      );
      assert.deepEqual(await lease("a", "1", "5"), ["run_1", "run_2"], "one just started is its starter's");
      assert.deepEqual(await lease("b", "2", "6"), []);
      assert.deepEqual(await lease("b", "2", "6", ["run_2", "run_3"]), ["run_2"], "who is at it already drives it");
      assert.deepEqual(await lease("a", "4", "8"), ["run_1"], "renewed before it ends");
      assert.deepEqual(await lease("b", "6", "9"), ["run_2"]);
      assert.deepEqual(await lease("b", "8", "9"), ["run_1", "run_2"], "taken over when it has ended");
      assert.deepEqual(await transact((tx) => tx.run("run_1")), aRun(), "the row does not show it");
      await write(put("run", aRun({ unfinished: 0 })));
      assert.deepEqual(await lease("a", "8", "9"), [], "and writing it does not change it");
    });
  });
}

type Case = readonly [read: (tx: OrchestratorTransaction) => Promise<unknown>, expected: unknown];

const { plan: _plan, result: _result, inputs: _inputs, ...summary } = aStep({ unit: "a" });
const bare = (unit: string, status: "ready" | "pending" = "ready") => aStep({ unit, status });

const READS: readonly {
  readonly behaviour: string;
  readonly rows: readonly Change[];
  readonly cases: readonly Case[];
}[] = [
  {
    behaviour: "runs are listed newest first, by environment and activity, in pages",
    rows: [
      put("run", aRun({ id: "run_2", environment: "dev" })),
      put("run", aRun({ id: "run_3", phase: "done" })),
      put("run", aRun({ id: "run_1" })),
    ],
    cases: [
      [async (tx) => (await tx.runs({ limit: 2 })).map((run) => run.id), ["run_3", "run_2"]],
      [async (tx) => (await tx.runs({ limit: 2, before: "run_2" })).map((run) => run.id), ["run_1"]],
      [async (tx) => (await tx.runs({ limit: 9, active: true })).map((run) => run.id), ["run_2", "run_1"]],
      [async (tx) => (await tx.runs({ limit: 9, active: false })).length, 3],
      [async (tx) => (await tx.runs({ limit: 9, environment: "dev" })).map((run) => run.id), ["run_2"]],
      [(tx) => tx.lockRun("run_1"), aRun({ id: "run_1" })],
      [(tx) => tx.lockRun("run_9"), undefined],
      [(tx) => tx.runByKey("none"), undefined],
    ],
  },
  {
    behaviour: "steps are listed by unit; their summaries leave the documents out",
    rows: [
      put("step", aStep({ unit: "b", status: "recording", plan: "{}", result: "{}", inputs: "{}" })),
      put("step", aStep({ unit: "a", plan: "{}", result: "{}", inputs: "{}" })),
      put("step", aStep({ unit: "c", status: "waiting" })),
      put("step", aStep({ unit: "d", status: "pending" })),
      put("step", aStep({ run: "run_2", unit: "a", status: "ready" })),
    ],
    cases: [
      [async (tx) => (await tx.steps("run_1")).map((step) => step.unit), ["a", "b", "c", "d"]],
      [async (tx) => (await tx.stepSummaries("run_1"))[0], summary],
      [(tx) => tx.stepSummariesOf("run_1", ["a", "z"]), [summary]],
      [async (tx) => (await tx.stepsOf("run_1", ["d", "b"])).map((step) => step.unit), ["b", "d"]],
      [(tx) => tx.stepsOf("run_1", []), []],
      [async (tx) => (await tx.stepsToDrive("run_1")).map((step) => step.unit), ["b", "c"]],
      [async (tx) => (await tx.stepsToDrive("run_2")).map((step) => step.unit), ["a"]],
      [async (tx) => (await tx.step("run_2", "a"))?.status, "ready"],
      [(tx) => tx.step("run_2", "b"), undefined],
      [async (tx) => (await tx.stepsOfUnit("a", 9)).map((step) => step.run), ["run_2", "run_1"]],
      [async (tx) => (await tx.stepsOfUnit("a", 1)).map((step) => step.run), ["run_2"]],
    ],
  },
  {
    behaviour: "the steps after one are those its edges lead to, directly",
    rows: [
      ...["a", "b", "c", "d"].map((unit) => put("step", bare(unit))),
      put("stepEdge", anEdge("a", "c")),
      put("stepEdge", anEdge("a", "b")),
      put("stepEdge", anEdge("c", "d")),
      put("stepEdge", anEdge("a", "d", "run_2")),
    ],
    cases: [
      [(tx) => tx.stepsAfter("run_1", "a"), [bare("b"), bare("c")]],
      [(tx) => tx.stepAndAfter("run_1", "a"), { step: bare("a"), after: [bare("b"), bare("c")] }],
      [(tx) => tx.stepAndAfter("run_1", "d"), { step: bare("d"), after: [] }],
      [(tx) => tx.stepAndAfter("run_1", "z"), { step: undefined, after: [] }],
      [(tx) => tx.edges("run_1"), [anEdge("a", "b"), anEdge("a", "c"), anEdge("c", "d")]],
    ],
  },
  {
    behaviour: "the task to claim is the oldest one that is queued, due, and of the worker's engines and pool",
    rows: [
      put("run", aRun()),
      put("task", aTask({ id: "task_1", createdAt: LATER })),
      put("task", aTask({ id: "task_3", pool: "plan", kind: "plan" })),
      put("task", aTask({ id: "task_2", availableAt: LATER })),
      put("task", aTask({ id: "task_4", engine: "pulumi" })),
      put("task", aTask({ id: "task_0", status: "done" })),
      put("task", aTask({ id: "task_5", engine: "helm", pool: "cpu-apply" })),
      put("task", aTask({ id: "task_6", engine: "helm", pool: "gpu-apply" })),
    ],
    cases: [
      [async (tx) => (await tx.claimableTask(ANY))?.id, "task_3"],
      [async (tx) => (await tx.claimableTask({ ...ANY, pool: "apply" }))?.id, "task_1"],
      [async (tx) => (await tx.claimableTask({ ...ANY, pool: "apply", now: LATER }))?.id, "task_2"],
      [async (tx) => (await tx.claimableTask({ ...ANY, engines: ["pulumi", "chef"] }))?.id, "task_4"],
      [(tx) => tx.claimableTask({ ...ANY, engines: [] }), undefined],
      [async (tx) => (await tx.claimableTask({ ...ANY, engines: ["helm"], pool: "gpu" }))?.id, "task_6"],
      [(tx) => tx.lockRunOfTask("task_1"), aRun()],
      [(tx) => tx.lockRunOfTask("task_9"), undefined],
      [(tx) => tx.task("task_4"), aTask({ id: "task_4", engine: "pulumi" })],
      [(tx) => tx.peekTask("task_9"), undefined],
      [
        async (tx) => (await tx.openTasks("run_1")).map((task) => task.id),
        ["task_1", "task_2", "task_3", "task_4", "task_5", "task_6"],
      ],
    ],
  },
  {
    behaviour: "a lease has expired only when it ended before the moment asked for",
    rows: [
      put("task", aTask({ id: "task_3", status: "leased", leaseExpiresAt: "1" })),
      put("task", aTask({ id: "task_2", status: "leased", leaseExpiresAt: "1" })),
      put("task", aTask({ id: "task_4", status: "leased", leaseExpiresAt: "2" })),
      put("task", aTask({ id: "task_5", status: "leased" })),
      put("task", aTask({ id: "task_6", status: "lost", leaseExpiresAt: "1" })),
    ],
    cases: [[async (tx) => (await tx.expiredTasks({ before: "2" })).map((task) => task.id), ["task_2", "task_3"]]],
  },
  {
    behaviour: "tasks that have not ended are listed in the order of their making, so many at most",
    rows: [
      put("task", aTask({ id: "task_1", status: "queued", createdAt: "3" })),
      put("task", aTask({ id: "task_2", status: "leased", createdAt: "2" })),
      put("task", aTask({ id: "task_3", status: "done", createdAt: "1" })),
      put("task", aTask({ id: "task_4", status: "queued", createdAt: "2" })),
      put("task", aTask({ id: "task_5", status: "queued", createdAt: "4" })),
    ],
    cases: [[async (tx) => (await tx.unfinishedTasks(3)).map((task) => task.id), ["task_2", "task_4", "task_1"]]],
  },
  {
    behaviour: "attempts of a unit are listed newest first",
    rows: [
      put("attempt", anAttempt({ attempt: 1 })),
      put("attempt", anAttempt({ attempt: 10 })),
      put("attempt", anAttempt({ attempt: 9 })),
      put("attempt", anAttempt({ attempt: 11, unit: "other" })),
    ],
    cases: [
      [async (tx) => (await tx.attempts("prod/shop/db", 2)).map((attempt) => attempt.attempt), [10, 9]],
      [(tx) => tx.attempt("task_1", 9), anAttempt({ attempt: 9 })],
      [(tx) => tx.attempt("task_1", 2), undefined],
    ],
  },
  {
    behaviour: "ChangeSets are listed newest first, by all that is asked for together",
    rows: [
      put("changeSet", aChangeSet({ id: "cs_1", author: "bob@example.com" })),
      put("changeSet", aChangeSet({ id: "cs_3", phase: "closed", series: "drift" })),
      put("changeSet", aChangeSet({ id: "cs_2", parent: "run_7", environment: "dev" })),
    ],
    cases: [
      [async (tx) => (await tx.changeSets({ limit: 9 })).map((row) => row.id), ["cs_3", "cs_2", "cs_1"]],
      [async (tx) => (await tx.changeSets({ limit: 1, before: "cs_3" })).map((row) => row.id), ["cs_2"]],
      [async (tx) => (await tx.changeSets({ limit: 9, environment: "prod" })).map((row) => row.id), ["cs_3", "cs_1"]],
      [async (tx) => (await tx.changeSets({ limit: 9, phase: "closed" })).map((row) => row.id), ["cs_3"]],
      [async (tx) => (await tx.changeSets({ limit: 9, author: "bob@example.com" })).map((row) => row.id), ["cs_1"]],
      [async (tx) => (await tx.changeSets({ limit: 9, series: "drift" })).map((row) => row.id), ["cs_3"]],
      [async (tx) => (await tx.changeSets({ limit: 9, parent: "run_7" })).map((row) => row.id), ["cs_2"]],
      [(tx) => tx.changeSets({ limit: 9, parent: "run_7", environment: "prod" }), []],
      [async (tx) => (await tx.changeSet("cs_3"))?.phase, "closed"],
      [async (tx) => (await tx.peekChangeSet("cs_3"))?.phase, "closed"],
      [(tx) => tx.peekChangeSet("cs_9"), undefined],
    ],
  },
  {
    behaviour: "approvals come in the order in which they were given, locks by kind and name",
    rows: [
      put("approval", anApproval({ subject: "a", at: LATER })),
      put("approval", anApproval({ subject: "c" })),
      put("approval", anApproval({ subject: "b" })),
      put("approval", anApproval({ changeSet: "cs_2" })),
      put("lock", aLock({ name: "b" })),
      put("lock", aLock({ name: "a" })),
      put("lock", aLock({ kind: "tier", name: "z", run: "run_2", mode: "shared" })),
      put("lock", aLock({ kind: "tier", name: "z", mode: "shared" })),
    ],
    cases: [
      [async (tx) => (await tx.approvals("cs_1")).map((row) => row.subject), ["b", "c", "a"]],
      [
        async (tx) => (await tx.locks()).map((row) => `${row.kind} ${row.name} ${row.run}`),
        ["tier z run_1", "tier z run_2", "unit a run_1", "unit b run_1"],
      ],
    ],
  },
  {
    behaviour: "updates follow a sequence number in pages, with logs or without",
    rows: [
      put("runUpdate", anUpdate(2, "progress")),
      put("runUpdate", anUpdate(1, "log")),
      put("runUpdate", anUpdate(3, "log")),
      put("runUpdate", anUpdate(11, "progress")),
      put("runUpdate", anUpdate(4, "log", "run_2")),
    ],
    cases: [
      [async (tx) => (await tx.updates("run_1", 0, 9, true)).map((row) => row.sequence), [1, 2, 3, 11]],
      [async (tx) => (await tx.updates("run_1", 0, 9, false)).map((row) => row.sequence), [2, 11]],
      [async (tx) => (await tx.updates("run_1", 1, 2, true)).map((row) => row.sequence), [2, 3]],
    ],
  },
  {
    behaviour: "governance is a row an environment, a worker one a name",
    rows: [
      put("governance", { repository: "r", environment: "prod", commit: "1", changedAt: NOON }),
      put("governance", { repository: "r", environment: "dev", commit: "2", changedAt: NOON }),
      put("governance", { repository: "s", environment: "dev", commit: "3", changedAt: NOON }),
      put("governance", { repository: "r", environment: "prod", commit: "4", changedAt: LATER }),
      put("worker", { id: "b", engines: "{}", seenAt: LATER }),
      put("worker", { id: "a", engines: "{}", seenAt: LATER }),
      put("worker", { id: "c", engines: "{}", seenAt: NOON }),
      put("compilation", { run: "run_1", document: "{}" }),
    ],
    cases: [
      [async (tx) => (await tx.governance("r")).map((row) => `${row.environment} ${row.commit}`), ["dev 2", "prod 4"]],
      [async (tx) => (await tx.workers(LATER)).map((row) => row.id), ["a", "b"]],
      [(tx) => tx.compilation("run_1"), { run: "run_1", document: "{}" }],
      [(tx) => tx.compilation("run_2"), undefined],
    ],
  },
];
