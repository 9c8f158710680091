import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { createSeededRandom, type Random } from "@xcloudflow/chassis/random";
import { ledgerMonorepo, SELF_APPROVED } from "../support/ledger-monorepo.ts";
import { meshSkip, startTestMesh, type TestMesh } from "../support/mesh.ts";
import { CAN_LIST_PROCESSES } from "../support/owner-processes.ts";
import { poll } from "../support/poll.ts";
import { judgeRun, ledgerUnits } from "./ledger-judge.ts";
import { describeRun, planAll, startWatchedRun, type WatchedRun } from "./ledger-run.ts";
import { readEventRecords, readLostApplies, readStreams } from "./mesh-records.ts";
import { type PlannedStrike, planStrikes } from "./strike-plan.ts";
import { createReport } from "./strike-report.ts";
import { freeze, kill, loseStore, type Strike, victimsOf } from "./strikes.ts";

const COUNTS = {
  kill: Number(process.env["KILLS"] ?? 12),
  freeze: Number(process.env["FREEZES"] ?? 3),
  store: Number(process.env["STORES"] ?? 2),
};
const SEED = Number(process.env["SEED"] ?? Date.now() % 2 ** 31);
const UNITS = 20;
/** Less than the lost attempts after which a task is given up. */
const STRIKES_PER_RUN = 4;
const LATEST_MS = 1_500;
const LEASE = { XCF_LEASE_SECONDS: "4", XCF_LEASE_GRACE_SECONDS: "1", XCF_SWEEP_SECONDS: "1" };
/** Lease, grace, sweep, and a moment more. */
const PAST_LEASE_MS = 7_000;
const CONVERGES_MS = 10_000;
const REPUBLISHED_MS = 60_000;

const skip = CAN_LIST_PROCESSES ? meshSkip() : "needs /proc";
const random = createSeededRandom(SEED);
let mesh: TestMesh;

before(async () => {
  if (skip === false) mesh = await startTestMesh({ replicas: 2, extra: LEASE });
});
after(() => mesh?.dispose());

test(`${COUNTS.kill} kills, ${COUNTS.freeze} freezes and ${COUNTS.store} lost NATS stores during runs of ${UNITS} units lose nothing and do nothing twice`, {
  skip,
  timeout: 3_600_000,
}, async (t) => {
  const ledger = join(mesh.folder, "ledger.txt");
  await writeFile(ledger, "");
  const left = planStrikes(COUNTS, victimsOf(mesh), random);
  const report = createReport();
  for (let generation = 1; left.length > 0; generation += 1) {
    const units = ledgerUnits(UNITS, generation);
    await mesh.commit(ledgerMonorepo(ledger, units, SELF_APPROVED));
    const strikes: Strike[] = [];
    try {
      const plan = await planAll(mesh);
      await strikeWhile(plan, left, 1, strikes);
      const planned = await plan.ended;
      assert.equal(planned.status, "succeeded", describeRun(planned));
      const apply = await startWatchedRun(mesh, { kind: "apply", changeSet: planned.changeSet });
      await strikeWhile(apply, left, STRIKES_PER_RUN, strikes);
      const applied = await apply.ended;
      assert.equal(applied.status, "succeeded", describeRun(applied));
      report.add(strikes, [plan, apply]);
      const struck = new Set(strikes.map(({ pid }) => pid));
      const lost = await readLostApplies(mesh, applied.id);
      const byThemselves = lost.filter(({ worker }) => !struck.has(Number(worker.split("-").at(-1))));
      const hit = new Set(strikes.flatMap((strike) => strike.hit));
      const lapsed = new Set(byThemselves.map(({ unit }) => unit));
      report.judged(await judgeRun(ledger, applied, units, { hit, lapsed }));
    } catch (error) {
      const told = strikes.map(({ kind, victim, hit }) => `${kind} ${victim} ${hit.join(" ")}`).join("\n");
      throw new Error(`seed ${SEED}, run ${generation}, after\n${told}`, { cause: error });
    }
  }
  const events = await poll(
    () => readEventRecords(mesh),
    ({ unpublished, unaudited }) => unpublished === 0 && unaudited === 0,
    CONVERGES_MS,
  );
  t.diagnostic(`seed ${SEED}: ${events.kept} events, all with NATS and in the audit log`);
  for (const line of report.lines()) t.diagnostic(line);
  const [worst = 0] = report.resumed().toSorted((a, b) => b - a);
  assert.ok(worst <= CONVERGES_MS, `the slowest resumption took ${Math.round(worst)} ms`);
});

/** Strikes at drawn moments, one after the other, until the run is over or has had its share. */
async function strikeWhile(run: WatchedRun, left: PlannedStrike[], most: number, done: Strike[]): Promise<void> {
  for (let strikes = 0; strikes < most && left.length > 0; strikes += 1) {
    await pause(random.integer(LATEST_MS));
    const next = left[0];
    if (run.isOver || next === undefined) return;
    const strike = await perform(next, run, random);
    if (strike === undefined) return;
    left.shift();
    done.push(strike);
  }
}

async function perform({ kind, victim }: PlannedStrike, run: WatchedRun, drawn: Random): Promise<Strike | undefined> {
  if (kind === "kill") return kill(mesh, victim);
  if (kind === "freeze") return freeze(mesh, victim, run, drawn.float() < 0.5, PAST_LEASE_MS);
  const strike = await loseStore(mesh);
  const { kept } = await readEventRecords(mesh);
  const look = () => readStreams(mesh).catch(() => ({ events: 0, pools: 0 }));
  const spent = (): number => performance.now() - strike.at;
  // What runs need is there again soon; what was published before comes back as fast as NATS takes it.
  await poll(look, ({ pools }) => pools === 2, CONVERGES_MS - spent());
  const back = spent();
  await poll(look, ({ events }) => events >= kept, REPUBLISHED_MS - spent());
  return { ...strike, back, republished: { events: kept, milliseconds: spent() } };
}
