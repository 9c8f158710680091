import type { Clock } from "@xcloudflow/chassis/clock";
import type { XcfEvent } from "@xcloudflow/chassis/event";
import type { Ids } from "@xcloudflow/chassis/ids";
import type { Database, Tx } from "@xcloudflow/database/database";
import { appendEvents } from "@xcloudflow/database/outbox";
import { systemScope, tenantScope } from "@xcloudflow/database/scope";
import { type RawBuilder, sql } from "kysely";
import type { Change } from "./decision.ts";
import type { OrchestratorStore, OrchestratorTransaction } from "./orchestrator-store.ts";
import { KEYS, type Tables } from "./rows.ts";

const SERVICE = "orchestrator";

const SUMMARY_COLUMNS =
  "run, unit, status, stage, engine, lifecycle, destroy, waiting_on, attempts, reason, outcome_was_unknown, successor, started_at, ended_at";

/** The orchestrator's rows in PostgreSQL or PGlite. */
export function createSqlOrchestratorStore(database: Database, clock: Clock, ids: Ids): OrchestratorStore {
  return {
    transact: (tenant, name, work) =>
      database.transaction(tenantScope(SERVICE, tenant, name), (tx) => work(bind(tx, tenant, clock, ids))),
    activeTenants: () =>
      database.transaction(systemScope(SERVICE, "list-active-tenants"), async (tx) => {
        const { rows } = await sql<{
          tenant: string;
        }>`select distinct tenant from orchestrator.run where phase <> 'done'`.execute(tx);
        return rows.map((row) => row.tenant);
      }),
  };
}

function bind(tx: Tx<unknown>, tenant: string, clock: Clock, ids: Ids): OrchestratorTransaction {
  async function select<T extends keyof Tables>(table: T, rest: RawBuilder<unknown>): Promise<Tables[T][]> {
    const { rows } = await sql<
      Record<string, unknown>
    >`select * from ${sql.table(`orchestrator.${snake(table)}`)} ${rest}`.execute(tx);
    return rows.map((row) => fromColumns<T>(row));
  }
  async function first<T extends keyof Tables>(table: T, rest: RawBuilder<unknown>): Promise<Tables[T] | undefined> {
    const [row] = await select(table, rest);
    return row;
  }
  return {
    lockRun: (id) => first("run", sql`where id = ${id} for update`),
    run: (id) => first("run", sql`where id = ${id}`),
    runByKey: (key) => first("run", sql`where idempotency_key = ${key}`),
    runs: ({ environment, active, before, limit }) =>
      select(
        "run",
        sql`where (${environment ?? null}::text is null or environment = ${environment ?? null}) and (${active !== true} or phase <> 'done') and (${before ?? null}::text is null or id < ${before ?? null}) order by id desc limit ${limit}`,
      ),
    steps: (run) => select("step", sql`where run = ${run} order by unit`),
    compilation: (run) => first("compilation", sql`where run = ${run}`),
    async stepSummaries(run) {
      const columns = sql.raw(SUMMARY_COLUMNS);
      const { rows } = await sql<
        Record<string, unknown>
      >`select ${columns} from orchestrator.step where run = ${run} order by unit`.execute(tx);
      return rows.map((row) => fromColumns<"step">(row));
    },
    stepsToDrive: (run) =>
      select("step", sql`where run = ${run} and status in ('ready', 'recording', 'waiting') order by unit`),
    stepsOf: (run, units) => select("step", sql`where run = ${run} and unit = any(${[...units]}::text[])`),
    step: (run, unit) => first("step", sql`where run = ${run} and unit = ${unit}`),
    stepsAfter: (run, unit) =>
      select(
        "step",
        sql`where run = ${run} and unit in (select "to" from orchestrator.step_edge where run = ${run} and "from" = ${unit}) order by unit`,
      ),
    edges: (run) => select("stepEdge", sql`where run = ${run}`),
    stepsOfUnit: (unit, limit) => select("step", sql`where unit = ${unit} order by run desc limit ${limit}`),
    peekTask: (id) => first("task", sql`where id = ${id}`),
    task: (id) => first("task", sql`where id = ${id} for update`),
    openTasks: (run) =>
      select("task", sql`where run = ${run} and status in ('queued', 'leased') order by id for update`),
    claimableTask: ({ engines, pool, now }) =>
      first(
        "task",
        sql`t where t.status = 'queued' and t.engine = any(${[...engines]}::text[]) and (${pool} = '' or t.pool = ${pool}) and t.available_at <= ${now}
            and (t.kind not in ('apply', 'restore') or (select count(*) from orchestrator.task o where o.environment = t.environment and o.status = 'leased' and o.kind in ('apply', 'restore')) < t.concurrency)
            order by t.created_at, t.id limit 1 for update skip locked`,
      ),
    expiredTasks: ({ before }) => select("task", sql`where status = 'leased' and lease_expires_at < ${before}`),
    attempts: (unit, limit) => select("attempt", sql`where unit = ${unit} order by attempt desc limit ${limit}`),
    fence: (unit) => first("unitFence", sql`where unit = ${unit} for update`),
    changeSet: (id) => first("changeSet", sql`where id = ${id} for update`),
    changeSets: ({ environment, phase, author, series, parent, limit, before }) =>
      select(
        "changeSet",
        sql`where (${environment ?? null}::text is null or environment = ${environment ?? null}) and (${phase ?? null}::text is null or phase = ${phase ?? null})
            and (${author ?? null}::text is null or author = ${author ?? null}) and (${series ?? null}::text is null or series = ${series ?? null})
            and (${parent ?? null}::text is null or parent = ${parent ?? null}) and (${before ?? null}::text is null or id < ${before ?? null})
            order by id desc limit ${limit}`,
      ),
    approvals: (changeSet) => select("approval", sql`where change_set = ${changeSet} order by at, subject`),
    async locks() {
      // Taking locks is rare and must not race: two transactions that each see no lock would both grant one.
      await sql`select pg_advisory_xact_lock(hashtextextended(${`orchestrator.locks ${tenant}`}, 0))`.execute(tx);
      return select("lock", sql`order by kind, name, run`);
    },
    governance: (repository) => select("governance", sql`where repository = ${repository}`),
    updates: (run, after, limit, logs) =>
      select(
        "runUpdate",
        sql`where run = ${run} and sequence > ${after} and (${logs} or kind = 'progress') order by sequence limit ${limit}`,
      ),
    workers: (seenSince) => select("worker", sql`where seen_at >= ${seenSince}`),
    write: (changes) => write(tx, tenant, changes, clock, ids),
  };
}

async function write(
  tx: Tx<unknown>,
  tenant: string,
  changes: readonly Change[],
  clock: Clock,
  ids: Ids,
): Promise<void> {
  const events: XcfEvent[] = [];
  const puts = new Map<keyof Tables, Record<string, unknown>[]>();
  for (const change of changes) {
    if ("event" in change)
      events.push({ ...change.event, id: ids.next("evt"), tenant, service: SERVICE, time: clock.now().toISOString() });
    else if ("drop" in change)
      await sql`delete from orchestrator.lock where kind = ${change.row.kind} and name = ${change.row.name} and run = ${change.row.run}`.execute(
        tx,
      );
    else puts.set(change.put, [...(puts.get(change.put) ?? []), toColumns(change.row)]);
  }
  for (const [table, rows] of puts) await upsert(tx, table, rows);
  await appendEvents(tx, SERVICE, events);
}

/** A statement holds at most 65,535 parameters. */
const MOST_PARAMETERS = 30_000;

async function upsert(tx: Tx<unknown>, table: keyof Tables, rows: readonly Record<string, unknown>[]): Promise<void> {
  const keys: readonly string[] = KEYS[table].map(snake);
  // The last write of a key wins: one statement may not touch a row twice.
  const latest = [...new Map(rows.map((row) => [keys.map((key) => row[key]).join("\n"), row])).values()];
  const [sample] = latest;
  if (sample === undefined) return;
  const columns = Object.keys(sample);
  const size = Math.max(1, Math.floor(MOST_PARAMETERS / columns.length));
  const rest = columns.filter((column) => !keys.includes(column));
  const assignments = rest.map((column) => sql`${sql.ref(column)} = excluded.${sql.ref(column)}`);
  for (let start = 0; start < latest.length; start += size) {
    const values = latest
      .slice(start, start + size)
      .map((row) => sql`(${sql.join(columns.map((column) => sql`${row[column]}`))})`);
    const conflict = assignments.length === 0 ? sql`do nothing` : sql`do update set ${sql.join(assignments)}`;
    await sql`insert into ${sql.table(`orchestrator.${snake(table)}`)} (${sql.join(columns.map((column) => sql.ref(column)))}) values ${sql.join(values)}
      on conflict (tenant, ${sql.join(keys.map((key) => sql.ref(key)))}) ${conflict}`.execute(tx);
  }
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function toColumns(row: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(row).map(([key, value]) => [snake(key), value]));
}

/** The columns are this schema's own and carry the row's names; nothing but migrations and this file writes them. */
function fromColumns<T extends keyof Tables>(columns: Record<string, unknown>): Tables[T] {
  const row: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(columns)) {
    if (name !== "tenant") row[name.replaceAll(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase())] = value;
  }
  return row as unknown as Tables[T];
}
