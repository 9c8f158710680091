import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ledgerMonorepo, SELF_APPROVED } from "../support/ledger-monorepo.ts";
import { meshSkip, startTestMesh, type TestMesh } from "../support/mesh.ts";
import { CAN_LIST_PROCESSES, findEnginesBelow, freezeWorker } from "../support/owner-processes.ts";
import { poll } from "../support/poll.ts";
import { describeRun, planAll, startWatchedRun } from "./ledger-run.ts";
import { queryMesh } from "./mesh-records.ts";
import { takeStaleAttempt } from "./stale-attempt.ts";
import { processOf, scratchOf } from "./strikes.ts";

const SECRET = "secret://env/WORD";
const skip = CAN_LIST_PROCESSES ? meshSkip() : "needs /proc";
let mesh: TestMesh;

before(async () => {
  if (skip !== false) return;
  mesh = await startTestMesh({
    extra: { XCF_LEASE_SECONDS: "4", XCF_LEASE_GRACE_SECONDS: "1", XCF_SWEEP_SECONDS: "1", XCF_SECRET_WORD: "word" },
  });
});
after(() => mesh?.dispose());

test("a worker that was frozen past its lease, and whoever has all that it knows, writes and learns nothing any more", {
  skip,
  timeout: 180_000,
}, async (t) => {
  const ledger = join(mesh.folder, "ledger.txt");
  await writeFile(ledger, "");
  const unit = { name: "late", slow: "sleep 2", inputs: { word: SECRET } };
  await mesh.commit(ledgerMonorepo(ledger, [unit], SELF_APPROVED));
  const planned = await (await planAll(mesh)).ended;
  assert.equal(planned.status, "succeeded", describeRun(planned));
  const apply = await startWatchedRun(mesh, { kind: "apply", changeSet: planned.changeSet });

  const { name, frozen } = await freezeApplying();
  for (const engine of frozen.engines) process.kill(engine.pid, "SIGSTOP");
  const thaw = (): void => {
    frozen.thaw();
    for (const { pid } of findEnginesBelow(scratchOf(mesh, name))) process.kill(pid, "SIGCONT");
  };
  t.after(thaw);
  const engine = frozen.engines.find(({ verb }) => verb === "apply");
  assert.ok(engine !== undefined);
  const worker = { name, id: `apply-${hostname()}-${frozen.pid}` };
  const stale = await takeStaleAttempt(mesh, worker, engine, SECRET);
  assert.equal(stale.unit, "dev/late/unit");

  // While the successor inspects and applies, and again when all is over.
  await poll(async () => apply.seen?.steps[0]?.outcomeWasUnknown === true, Boolean, 30_000);
  await poll(readFence, (fence) => fence > 1, 30_000);
  const during = await stale.tryEverything();
  const run = await apply.ended;
  assert.equal(run.status, "succeeded", describeRun(run));
  const versions = await readVersions();
  const afterwards = await stale.tryEverything();
  for (const answers of [during, afterwards]) {
    const { lock, write, "write without a lock": bare, unlock, "forced unlock": forced, ...coded } = answers;
    for (const status of [lock, write, bare, unlock, forced].map(String))
      assert.match(status, /^4\d\d$/, JSON.stringify(answers, undefined, 1));
    assert.deepEqual(coded, {
      outputs: "FENCE_PASSED",
      // Evidence, and never current.
      recovery: "quarantined",
      secret: "FENCE_PASSED",
      report: "LEASE_LOST",
      heartbeat: "lost",
    });
  }

  thaw();
  await poll(
    async () => findEnginesBelow(scratchOf(mesh, name)).length,
    (left) => left === 0,
    30_000,
  );
  const current = (rows: typeof versions) => rows.filter((row) => row["status"] !== "quarantined");
  assert.deepEqual(current(await readVersions()), current(versions), "no late state became current");
  assert.equal(
    current(versions).some((row) => JSON.stringify(row).includes("late-lineage")),
    false,
  );
  const lines = (await readFile(ledger, "utf8")).split("\n").filter(Boolean);
  assert.ok(lines.length >= 1 && lines.length <= 2, lines.join(", "));
});

async function freezeApplying() {
  const workers = ["terraform-apply-1", "terraform-apply-2"];
  return poll(
    async () => {
      for (const name of workers) {
        const scratch = scratchOf(mesh, name);
        const { pid } = processOf(mesh, name);
        if (pid === undefined || !findEnginesBelow(scratch).some(({ verb }) => verb === "apply")) continue;
        const frozen = await freezeWorker(pid, scratch);
        if (frozen?.engines.some(({ verb }) => verb === "apply")) return { name, frozen };
        frozen?.thaw();
      }
      return undefined;
    },
    (found) => found !== undefined,
    60_000,
  ).then((found) => {
    assert.ok(found !== undefined);
    return found;
  });
}

async function readFence(): Promise<number> {
  const [row] = await queryMesh(mesh, "select fence from state.fences where unit = 'dev/late/unit'");
  return Number(row?.["fence"] ?? 0);
}

function readVersions() {
  return queryMesh(mesh, "select * from state.engine_state_versions where unit = 'dev/late/unit' order by version");
}
