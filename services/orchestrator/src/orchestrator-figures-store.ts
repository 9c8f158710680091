import { type Observation, observeGauges } from "@xcloudflow/chassis/instruments";
import type { Database } from "@xcloudflow/database/database";
import { systemScope } from "@xcloudflow/database/scope";
import { sql } from "kysely";

const GAUGES = {
  depth: { name: "xcf_queue_depth", description: "Tasks that wait for a worker, by engine and pool." },
  age: { name: "xcf_queue_age_seconds", description: "How long the longest-waiting task could have been taken." },
  leased: { name: "xcf_tasks_leased", description: "Tasks that workers are working on, by engine and pool." },
  runs: { name: "xcf_runs", description: "Runs that have not ended, by kind, phase and what they wait for." },
  locks: { name: "xcf_locks_held", description: "Locks of units and tiers that runs hold." },
  approvals: { name: "xcf_approvals_pending", description: "ChangeSets that wait for people." },
  oldest: { name: "xcf_approval_age_seconds", description: "Age of the oldest ChangeSet that waits for people." },
};

const POOLS = ["plan", "apply"];

interface TaskFigures {
  readonly engine: string;
  readonly pool: string;
  readonly queued: number;
  readonly leased: number;
  readonly since: string | null;
}

interface RunFigures {
  readonly kind: string;
  readonly phase: string;
  readonly waiting: string;
  readonly count: number;
}

/**
 * Shows how much work waits and for what, over all tenants. Every replica reads the same rows and says the same, so that
 * a dashboard takes the greatest and not the sum.
 *
 * @returns ends the observation.
 */
export function observeOrchestrator(
  database: Database,
  now: () => Date,
  onError: (error: unknown) => void,
): () => void {
  /** Queues of every engine that a worker offers or a task named: an empty queue is shown as 0 and not as nothing. */
  const known = new Map<string, { readonly engine: string; readonly pool: string }>();
  return observeGauges(GAUGES, () => readFigures(database, now(), known), onError);
}

async function readFigures(
  database: Database,
  now: Date,
  known: Map<string, { readonly engine: string; readonly pool: string }>,
): Promise<Record<keyof typeof GAUGES, readonly Observation[]>> {
  const at = now.toISOString();
  const figures = await database.transaction(systemScope("orchestrator", "measure"), async (tx) => ({
    tasks: await sql<TaskFigures>`select engine, pool,
        (count(*) filter (where status = 'queued' and available_at <= ${at}))::int as queued,
        (count(*) filter (where status = 'leased'))::int as leased,
        min(available_at) filter (where status = 'queued' and available_at <= ${at}) as since
      from orchestrator.task where status in ('queued', 'leased') group by engine, pool`.execute(tx),
    engines: await sql<{ engine: string }>`select distinct jsonb_object_keys(engines::jsonb) as engine
      from orchestrator.worker`.execute(tx),
    runs: await sql<RunFigures>`select kind, phase, coalesce(waiting_kind, '') as waiting, count(*)::int as count
      from orchestrator.run where phase <> 'done' group by 1, 2, 3`.execute(tx),
    locks: await sql<{ kind: string; count: number }>`select kind, count(*)::int as count
      from orchestrator.lock group by kind`.execute(tx),
    approvals: await sql<{
      count: number;
      since: string | null;
    }>`select count(*)::int as count, min(created_at) as since
      from orchestrator.change_set
      where phase = 'open' and not dirty and expires_at > ${at} and gates like '%"kind":"approval"%'`.execute(tx),
  }));
  const seconds = (since: string | null | undefined): number =>
    since === null || since === undefined ? 0 : Math.max(0, (now.getTime() - Date.parse(since)) / 1_000);
  const tasks = new Map(figures.tasks.rows.map((row) => [`${row.engine} ${row.pool}`, row]));
  for (const { engine } of figures.engines.rows)
    for (const pool of POOLS) known.set(`${engine} ${pool}`, { engine, pool });
  for (const [name, { engine, pool }] of tasks) known.set(name, { engine, pool });
  const perQueue = (read: (row: TaskFigures | undefined) => number): Observation[] =>
    [...known].map(([name, attributes]) => ({ value: read(tasks.get(name)), attributes }));
  const [approvals] = figures.approvals.rows;
  const held = new Map(figures.locks.rows.map(({ kind, count }) => [kind, count]));
  return {
    depth: perQueue((row) => row?.queued ?? 0),
    age: perQueue((row) => seconds(row?.since)),
    leased: perQueue((row) => row?.leased ?? 0),
    runs: figures.runs.rows.map(({ kind, phase, waiting, count }) => ({
      value: count,
      attributes: { kind, phase, waiting },
    })),
    locks: ["unit", "tier"].map((kind) => ({ value: held.get(kind) ?? 0, attributes: { kind } })),
    approvals: [{ value: approvals?.count ?? 0 }],
    oldest: [{ value: seconds(approvals?.since) }],
  };
}
