// P4: a durable three-step run takes ≤ 9 SQL statements and ≤ 4 commits in the orchestrator. A stub engine answers at once;
// transaction control and the one `set_config` of each transaction are not counted, nor what other services do.
import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import type { Caller } from "@xcloudflow/chassis/caller";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { createIds } from "@xcloudflow/chassis/ids";
import { createSeededRandom } from "@xcloudflow/chassis/random";
import type { TaskResult } from "@xcloudflow/model/task-result";
import { waitForTask } from "@xcloudflow/orchestrator/claim-task";
import { orchestratorSchema } from "@xcloudflow/orchestrator/migrations/migrations";
import { DEFAULT_TIMING } from "@xcloudflow/orchestrator/orchestrator-context";
import { createOrchestrator } from "@xcloudflow/orchestrator/orchestrator-service";
import { acceptReport } from "@xcloudflow/orchestrator/report-task";
import type { RunRow } from "@xcloudflow/orchestrator/rows";
import { createSqlOrchestratorStore } from "@xcloudflow/orchestrator/sql-orchestrator-store";
import { startRun } from "@xcloudflow/orchestrator/start-run";
import { voteOn } from "@xcloudflow/orchestrator/vote";
import { StartRunRequestSchema } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { createSimulatedWorld, planUnit, type SimulatedWorld } from "../simulation/simulated-world.ts";
import { countStatements } from "../support/counted-database.ts";
import { openFreshPglite } from "../support/databases.ts";
import { printFigure } from "./figures.ts";

const AUTHOR: Caller = {
  tenant: "default",
  subject: "author@example.com",
  groups: [],
  roles: ["admin", "approver"],
  assurance: "asserted",
};
const APPROVER: Caller = { ...AUTHOR, subject: "lead@example.com" };
const STEPS = 3;

function worldOf(steps: number): SimulatedWorld {
  for (let seed = 1; ; seed += 1) {
    const world = createSimulatedWorld(createSeededRandom(seed));
    if (world.units.length === steps) return world;
  }
}

const opened = await openFreshPglite([orchestratorSchema]);
const { database, counts, reset } = countStatements(opened);
const clock = createSystemClock();
const random = createSeededRandom(1);
const world = worldOf(STEPS);
const { planner, policy, state, secrets } = world;
const orchestrator = createOrchestrator({
  store: createSqlOrchestratorStore(database, clock, createIds(clock, random)),
  ...{ planner, policy, state, secrets, clock, random },
  ids: createIds(clock, random),
  signAttempt: async () => "token",
  timing: DEFAULT_TIMING,
  soleProcess: true,
  onError: (where, error) => console.error(where, error),
});
const { context } = orchestrator;

/** Works on everything there is until the run has nothing more to do. */
async function work(run: string): Promise<RunRow> {
  const query = { worker: "stub", engines: [{ name: "terraform", version: "1.0.0" }], pool: "", waitMilliseconds: 0 };
  for (;;) {
    await orchestrator.idle();
    const assignment = await waitForTask(context, "default", query, new AbortController().signal);
    if (assignment === undefined) break;
    const { kind } = JSON.parse(new TextDecoder().decode(assignment.specDocument)) as { kind: string };
    const { task, unit, attempt } = assignment;
    const report = { worker: "stub", task, attempt: Number(attempt), result: act(kind, unit), lines: [] };
    await acceptReport(context, "default", report);
  }
  const row = await context.store.transact("default", "look", (tx) => tx.run(run));
  assert.ok(row);
  return row;
}

function act(kind: string, unit: string): TaskResult {
  if (kind === "apply") world.cloud.set(unit, world.units.find((other) => other.address === unit)?.contentHash ?? "");
  const plan = planUnit(world, unit, clock.now().getTime());
  if (kind === "plan") return { kind: "planned", plan };
  if (kind === "apply") return { kind: "applied", outputs: plan.outputs, serial: 1, lineage: "line" };
  return { kind: "verified", converged: true, changes: [], outputs: plan.outputs };
}

function report(title: string): void {
  const { statements, commits, byTransaction } = counts();
  printFigure(`${title}: SQL statements`, String(statements), { text: "≤ 9", met: statements <= 9 });
  printFigure(`${title}: commits of transactions that write`, String(commits), { text: "≤ 4", met: commits <= 4 });
  for (const [name, { transactions, statements: of }] of byTransaction)
    printFigure(`    ${name}`, `${of} in ${transactions} transactions`);
}

const planned = await startRun(
  context,
  "default",
  AUTHOR,
  create(StartRunRequestSchema, { kind: "plan", repository: "/repository" }),
);
const plan = await work(planned.id);
assert.equal(plan.status, "succeeded");
report(`a plan run of ${STEPS} steps`);

const changeSet = plan.changeSet ?? "";
await voteOn(context, "default", APPROVER, "approve", { changeSet, digest: "", comment: "" });
reset();
const started = await startRun(context, "default", AUTHOR, create(StartRunRequestSchema, { kind: "apply", changeSet }));
assert.equal((await work(started.id)).status, "succeeded");
report(`an apply run of ${STEPS} steps, each applied and verified`);
await orchestrator.close();
await opened.close();
