import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ledgerMonorepo, SELF_APPROVED } from "../support/ledger-monorepo.ts";
import { meshSkip, startTestMesh, type TestMesh } from "../support/mesh.ts";
import { CAN_LIST_PROCESSES } from "../support/owner-processes.ts";
import { judgeRun, ledgerUnits } from "./ledger-judge.ts";
import { describeRun, planAll, startWatchedRun } from "./ledger-run.ts";
import { isWorker, kill, type Strike } from "./strikes.ts";

const UNITS = 50;
const skip = CAN_LIST_PROCESSES ? meshSkip() : "needs /proc";
let mesh: TestMesh;

before(async () => {
  if (skip === false) mesh = await startTestMesh({ replicas: 2 });
});
after(() => mesh?.dispose());

test(`killing one of two replicas of each service in turn does not fail an apply of ${UNITS} units`, {
  skip,
  timeout: 300_000,
}, async (t) => {
  const ledger = join(mesh.folder, "ledger.txt");
  await writeFile(ledger, "");
  const units = ledgerUnits(UNITS, 1);
  await mesh.commit(ledgerMonorepo(ledger, units, SELF_APPROVED));
  const planned = await (await planAll(mesh)).ended;
  assert.equal(planned.status, "succeeded", describeRun(planned));
  const apply = await startWatchedRun(mesh, { kind: "apply", changeSet: planned.changeSet });

  const firsts = [...mesh.mesh.processes.keys()].filter((name) => !isWorker(name) && name.endsWith("-1"));
  const strikes: Strike[] = [];
  // The next one falls when the last is back: there is always one of each that lives.
  for (const victim of firsts) {
    assert.equal(apply.isOver, false, `the run ended before ${victim} was struck`);
    strikes.push(await kill(mesh, victim));
  }
  const applied = await apply.ended;
  assert.equal(applied.status, "succeeded", describeRun(applied));
  await judgeRun(ledger, applied, units, { hit: new Set(), lapsed: new Set() });
  const gaps = strikes.map(({ at }) => (apply.moves.find((move) => move.at > at)?.at ?? at) - at);
  t.diagnostic(
    `${strikes.length} replicas killed; the run stood still for at most ${Math.round(Math.max(...gaps))} ms`,
  );
});
