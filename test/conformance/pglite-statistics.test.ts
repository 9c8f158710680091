import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { OwnedDatabase } from "@xcloudflow/database/database";
import { createStatisticsSchedule } from "@xcloudflow/database/pglite-statistics";
import { tenantScope } from "@xcloudflow/database/scope";
import { orchestratorSchema } from "@xcloudflow/orchestrator/migrations/migrations";
import { sql } from "kysely";
import { openFreshPglite } from "../support/databases.ts";

const SCOPE = tenantScope("orchestrator", "default", "statistics-test");
const ROWS = 500;

async function planOf(database: OwnedDatabase, query: string): Promise<string> {
  return await database.transaction(SCOPE, async (tx) => {
    const { rows } = await sql<{ readonly "QUERY PLAN": string }>`explain ${sql.raw(query)}`.execute(tx);
    return rows.map((row) => row["QUERY PLAN"]).join("\n");
  });
}

describe("the planner's statistics in PGlite", () => {
  let database: OwnedDatabase;
  before(async () => {
    database = await openFreshPglite([orchestratorSchema]);
    await database.transaction(SCOPE, async (tx) => {
      await sql`insert into orchestrator.attempt (task, attempt, unit, run, worker, claimed_at, outcome)
        select 'task_' || i, 1, 'unit_' || i, 'run', 'worker', '2026', 'running' from generate_series(1, ${ROWS}) i`.execute(
        tx,
      );
      await sql`insert into orchestrator.task (id, run, unit, environment, kind, engine, pool, status, spec, tries, attempt,
          available_at, cancel_requested, unknown_attempts, concurrency, created_at)
        select 'task_' || i, 'run', 'unit_' || i, 'dev', 'plan', 'terraform', 'plan', 'queued', '{}', 0, 0, '2026', false,
          '', 1, '2026' from generate_series(1, ${ROWS}) i`.execute(tx);
    });
    for (let count = 0; count < 100; count++) await database.transaction(SCOPE, async () => undefined);
  });
  after(() => database.close());

  test("an attempt is found by its key, however many attempts there were", async () => {
    const plan = await planOf(database, "select * from orchestrator.attempt where task = 'task_5' and attempt = 1");
    assert.match(plan, /using attempt_pkey/);
  });

  test("a claim takes the head of the queue and sorts nothing", async () => {
    const plan = await planOf(
      database,
      "select * from orchestrator.task where status = 'queued' order by created_at, id limit 1 for update skip locked",
    );
    assert.match(plan, /using task_queue/);
    assert.doesNotMatch(plan, /Sort/);
  });
});

test("statistics are gathered often while tables grow by multiples, and seldom later", () => {
  const schedule = createStatisticsSchedule();
  const due = Array.from({ length: 60_000 }, (_, index) => (schedule.isDue() ? [index + 1] : [])).flat();
  assert.deepEqual(due, [100, 400, 1_600, 6_400, 25_600, 51_200]);
});
