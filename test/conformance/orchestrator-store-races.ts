import assert from "node:assert/strict";
import { before, beforeEach, describe, test } from "node:test";
import {
  type OrchestratorStore,
  type OrchestratorTransaction,
  RunKeyTakenError,
} from "@xcloudflow/orchestrator/orchestrator-store";
import { aChangeSet, aLock, aRun, aTask, NOON } from "../support/orchestrator-rows.ts";
import { put } from "./orchestrator-store.ts";

const ANY = { engines: ["terraform"], pool: "", now: NOON };

/** What holds when transactions overlap: for databases with more than one connection. */
export function describeStoreRaces(name: string, open: () => Promise<OrchestratorStore>): void {
  describe(name, () => {
    let store: OrchestratorStore;
    let tenant = "";
    let count = 0;
    before(async () => {
      store = await open();
    });
    beforeEach(() => {
      count += 1;
      tenant = `race-${count}`;
    });
    const transact = <T>(work: (tx: OrchestratorTransaction) => Promise<T>): Promise<T> =>
      store.transact(tenant, "race", work);

    /** Holds a transaction open after `work` until `release` is called. */
    async function hold<T>(work: (tx: OrchestratorTransaction) => Promise<T>) {
      const reached = Promise.withResolvers<T>();
      const released = Promise.withResolvers<void>();
      const done = transact(async (tx) => {
        reached.resolve(await work(tx));
        await released.promise;
      });
      done.catch(reached.reject);
      return {
        result: await reached.promise,
        async release() {
          released.resolve();
          await done;
        },
      };
    }

    /** Whether `promise` is still open after others have had ample turns at the database. */
    async function waits(promise: Promise<unknown>): Promise<boolean> {
      let settled = false;
      void promise.then(
        () => (settled = true),
        () => (settled = true),
      );
      for (let turn = 0; turn < 20; turn += 1) await store.activeTenants();
      return !settled;
    }

    const waiting: readonly [string, (tx: OrchestratorTransaction) => Promise<unknown>][] = [
      ["a run", (tx) => tx.lockRun("run_1")],
      ["the run of a task", (tx) => tx.lockRunOfTask("task_1")],
      ["a task", (tx) => tx.task("task_1")],
      ["the open tasks of a run", (tx) => tx.openTasks("run_1")],
      ["a ChangeSet", (tx) => tx.changeSet("cs_1")],
      ["a fence", (tx) => tx.raiseFence("prod/shop/db")],
      ["the locks", (tx) => tx.locks()],
    ];
    for (const [what, lock] of waiting) {
      test(`whoever locks ${what} second waits for the first and sees what it wrote`, async () => {
        await transact((tx) =>
          tx.write([put("run", aRun()), put("task", aTask()), put("changeSet", aChangeSet()), put("lock", aLock())]),
        );
        const first = await hold(async (tx) => {
          await lock(tx);
          await tx.write([
            put("run", aRun({ unfinished: 7 })),
            put("task", aTask({ tries: 7 })),
            put("changeSet", aChangeSet({ reason: "seven" })),
            put("lock", aLock({ run: "run_7" })),
          ]);
        });
        const second = transact(async (tx) => JSON.stringify(await lock(tx)));
        assert.ok(await waits(second));
        const elsewhere = await store.transact(`${tenant}-other`, "race", (tx) => lock(tx));
        assert.ok(elsewhere !== null, "another tenant does not wait");
        await first.release();
        assert.match(await second, /7|seven|2/);
      });
    }

    test("reading without a lock waits for nobody", async () => {
      await transact((tx) => tx.write([put("run", aRun()), put("task", aTask()), put("changeSet", aChangeSet())]));
      const first = await hold(async (tx) => {
        await tx.lockRun("run_1");
        await tx.changeSet("cs_1");
        await tx.write([put("run", aRun({ unfinished: 7 }))]);
      });
      const seen = await transact(async (tx) => [
        (await tx.run("run_1"))?.unfinished,
        (await tx.peekTask("task_1"))?.id,
        (await tx.peekChangeSet("cs_1"))?.id,
      ]);
      assert.deepEqual(seen, [1, "task_1", "cs_1"]);
      await first.release();
    });

    test("two claims never get one task: the second passes over what the first has locked", async () => {
      await transact((tx) =>
        tx.write([put("task", aTask({ id: "task_1" })), put("task", aTask({ id: "task_2", environment: "dev" }))]),
      );
      const first = await hold((tx) => tx.claimableTask(ANY));
      assert.equal(first.result?.id, "task_1");
      const second = await hold((tx) => tx.claimableTask(ANY));
      assert.equal(second.result?.id, "task_2");
      assert.equal(await transact((tx) => tx.claimableTask(ANY)), undefined);
      await first.release();
      await second.release();
    });

    test("claims that race for an environment's last place get it once", async () => {
      await transact((tx) =>
        tx.write(["1", "2", "3"].map((id) => put("task", aTask({ id: `task_${id}`, concurrency: 1 })))),
      );
      const first = await hold(async (tx) => {
        const task = await tx.claimableTask(ANY);
        assert.ok(task);
        await tx.write([put("task", { ...task, status: "leased" })]);
      });
      const others = [1, 2].map(() => transact((tx) => tx.claimableTask(ANY)));
      assert.ok(await waits(Promise.race(others)), "they cannot know yet");
      await first.release();
      assert.deepEqual(await Promise.all(others), [undefined, undefined]);
    });

    test("many claims at once take every place and none too many", async () => {
      const tasks = Array.from({ length: 24 }, (_, index) =>
        put(
          "task",
          aTask({ id: `task_${index}`, unit: `unit-${index}`, environment: `env-${index % 3}`, concurrency: 2 }),
        ),
      );
      await transact((tx) => tx.write(tasks));
      const claimed = await Promise.all(
        Array.from({ length: 24 }, () =>
          transact(async (tx) => {
            const task = await tx.claimableTask(ANY);
            if (task === undefined) return undefined;
            await tx.raiseFence(task.unit);
            await tx.write([put("task", { ...task, status: "leased" })]);
            return task;
          }),
        ),
      );
      const taken = claimed.flatMap((task) => task ?? []);
      assert.equal(new Set(taken.map((task) => task.id)).size, taken.length, "a task was claimed twice");
      const places = Map.groupBy(taken, (task) => task.environment);
      for (const [environment, there] of places) assert.ok(there.length <= 2, `${environment} has ${there.length}`);
      // A claim that lost may leave early; whoever comes next finds what is left.
      for (let more = true; more; ) {
        more = await transact(async (tx) => {
          const task = await tx.claimableTask(ANY);
          if (task !== undefined) await tx.write([put("task", { ...task, status: "leased" })]);
          return task !== undefined;
        });
      }
      const leased = await transact((tx) => tx.expiredTasks({ before: "9" }).then(() => tx.openTasks("run_1")));
      assert.equal(leased.filter((task) => task.status === "leased").length, 6);
    });

    test("fences raised at once are all different", async () => {
      const values = await Promise.all(Array.from({ length: 10 }, () => transact((tx) => tx.raiseFence("unit"))));
      assert.deepEqual(
        values.sort((a, b) => a - b),
        Array.from({ length: 10 }, (_, index) => index + 1),
      );
    });

    test("of two runs that start with one idempotency key one is written", async () => {
      const first = await hold((tx) => tx.write([put("run", aRun({ id: "run_1", idempotencyKey: "key" }))]));
      const second = transact(async (tx) => {
        assert.equal(await tx.runByKey("key"), undefined, "the first has not committed yet");
        await tx.write([put("run", aRun({ id: "run_2", idempotencyKey: "key" }))]);
      });
      const outcome = assert.rejects(second, RunKeyTakenError);
      assert.ok(await waits(second));
      await first.release();
      await outcome;
      assert.equal((await transact((tx) => tx.runByKey("key")))?.id, "run_1");
    });

    test("of two runs that want one lock, one sees the other's", async () => {
      const take = (run: string) => async (tx: OrchestratorTransaction) => {
        const held = await tx.locks();
        if (held.length === 0) await tx.write([put("lock", aLock({ run }))]);
        return held.length === 0;
      };
      const answers = await Promise.all(["run_1", "run_2", "run_3"].map((run) => transact(take(run))));
      assert.equal(answers.filter(Boolean).length, 1);
      assert.equal((await transact((tx) => tx.locks())).length, 1);
    });

    test("replicas that sweep at once share the runs among them", async () => {
      const ids = Array.from({ length: 12 }, (_, index) => `run_${index}`);
      await transact((tx) => tx.write(ids.map((id) => put("run", aRun({ id })))));
      const sweep = (replica: string) =>
        transact((tx) => tx.leaseDrives({ replica, driving: [], now: "1", until: "5", unclaimedBefore: NOON }));
      const driven = (await Promise.all(["a", "b", "c"].map(sweep))).flat();
      assert.equal(new Set(driven).size, driven.length, "two replicas drive one run");
      const busy = await hold((tx) => tx.lockRun("run_0"));
      const second = (await Promise.all(["a", "b", "c"].map(sweep))).flat();
      assert.deepEqual(second.sort(), ids.filter((id) => id !== "run_0").sort(), "a sweep waits for no transaction");
      await busy.release();
    });
  });
}
