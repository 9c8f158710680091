import type { Clock } from "@xcloudflow/chassis/clock";
import type { XcfEvent } from "@xcloudflow/chassis/event";
import type { Ids } from "@xcloudflow/chassis/ids";
import type { Database, Tx } from "@xcloudflow/database/database";
import { announceEvents, eventInserts, type RowInsert } from "@xcloudflow/database/outbox";
import { systemScope, tenantScope } from "@xcloudflow/database/scope";
import { isUniqueViolation } from "@xcloudflow/database/sql-state";
import { CompiledQuery, sql } from "kysely";
import type { Change } from "./decision.ts";
import { type OrchestratorStore, type OrchestratorTransaction, RunKeyTakenError } from "./orchestrator-store.ts";
import { KEYS, type LockRow, type StepSummary, type Tables } from "./rows.ts";
import { poolsOfWorker } from "./task-specs.ts";

const SERVICE = "orchestrator";

const SUMMARY_COLUMNS =
  "run, unit, status, stage, engine, lifecycle, destroy, waiting_on, attempts, reason, outcome_was_unknown, successor, started_at, ended_at";

/** Units that wait for the unit $2 of the run $1. */
const TARGETS = `select "to" from orchestrator.step_edge where run = $1 and "from" = $2`;

/** The candidate, and how many tasks of its environment write: for one that would write, once nobody else may claim there. */
const CLAIMABLE = `
  with candidate as materialized (
    select t.* from orchestrator.task t
    where t.status = 'queued' and t.engine = any($1::text[]) and ($2 = '' or t.pool = any($4::text[])) and t.available_at <= $3
      and (t.kind not in ('apply', 'restore') or t.concurrency > (
        select count(*) from orchestrator.task o
        where o.environment = t.environment and o.status = 'leased' and o.kind in ('apply', 'restore')))
    order by t.created_at, t.id limit 1 for update skip locked)
  select candidate.*,
    case when kind in ('apply', 'restore') then orchestrator.writing_tasks(environment) else -1 end as writing
  from candidate`;

/** A run whose row is locked is being worked on this moment: it is left for the next time. */
const LEASE_DRIVES = `
  update orchestrator.run set driven_by = $1, driven_until = $2 where id in (
    select id from orchestrator.run
    where phase <> 'done' and (id = any($4::text[]) or driven_by = $1 or driven_until <= $3
      or (driven_until is null and created_at <= $5))
    for update skip locked)
  returning id`;

const DROP_LOCKS = `
  delete from orchestrator.lock l using unnest($1::text[], $2::text[], $3::text[]) as gone (kind, name, run)
  where l.kind = gone.kind and l.name = gone.name and l.run = gone.run`;

/** The orchestrator's rows in PostgreSQL or PGlite. */
export function createSqlOrchestratorStore(database: Database, clock: Clock, ids: Ids): OrchestratorStore {
  return {
    transact: (tenant, name, work) =>
      database.transaction(tenantScope(SERVICE, tenant, name), (tx) => work(bind(tx, tenant, clock, ids))),
    activeTenants: () =>
      database.transaction(systemScope(SERVICE, "list-active-tenants"), async (tx) => {
        const { rows } = await sql<{
          tenant: string;
        }>`select distinct tenant from orchestrator.run where phase <> 'done' order by tenant`.execute(tx);
        return rows.map((row) => row.tenant);
      }),
    tenantsWithTasks: ({ engines, pool, now }) =>
      database.transaction(systemScope(SERVICE, "list-tenants-with-tasks"), async (tx) => {
        const { rows } = await sql<{
          tenant: string;
        }>`select distinct tenant from orchestrator.task where status = 'queued' and engine = any(${[...engines]}::text[])
             and (${pool} = '' or pool = any(${[...poolsOfWorker(pool)]}::text[])) and available_at <= ${now} order by tenant`.execute(
          tx,
        );
        return rows.map((row) => row.tenant);
      }),
  };
}

function bind(tx: Tx<unknown>, tenant: string, clock: Clock, ids: Ids): OrchestratorTransaction {
  /** Texts are constant, so that nothing is compiled and the database knows each statement. */
  async function query(text: string, parameters: readonly unknown[]): Promise<readonly Record<string, unknown>[]> {
    return (await tx.executeQuery<Record<string, unknown>>(CompiledQuery.raw(text, [...parameters]))).rows;
  }
  async function select<T extends keyof Tables>(
    table: T,
    rest: string,
    ...parameters: readonly unknown[]
  ): Promise<Tables[T][]> {
    const rows = await query(`select * from orchestrator.${snake(table)} ${rest}`, parameters);
    return rows.map((row) => fromColumns<T>(row));
  }
  async function first<T extends keyof Tables>(
    table: T,
    rest: string,
    ...parameters: readonly unknown[]
  ): Promise<Tables[T] | undefined> {
    const [row] = await select(table, rest, ...parameters);
    return row;
  }
  async function summaries(rest: string, ...parameters: readonly unknown[]): Promise<StepSummary[]> {
    const rows = await query(`select ${SUMMARY_COLUMNS} from orchestrator.step ${rest}`, parameters);
    return rows.map((row) => fromColumns<"step">(row));
  }
  return {
    lockRun: (id) => first("run", "where id = $1 for update", id),
    lockRunOfTask: (id) => first("run", "where id = (select run from orchestrator.task where id = $1) for update", id),
    run: (id) => first("run", "where id = $1", id),
    runByKey: (key) => first("run", "where idempotency_key = $1", key),
    runs: ({ environment, environments, active, before, limit }) =>
      select(
        "run",
        `where ($1::text is null or environment = $1) and (not $2::boolean or phase <> 'done')
           and ($3::text is null or id < $3) and ($5::text[] is null or environment = any($5))
           order by id desc limit $4`,
        environment ?? null,
        active === true,
        before ?? null,
        limit,
        environments === undefined ? null : [...environments],
      ),
    steps: (run) => select("step", "where run = $1 order by unit", run),
    compilation: (run) => first("compilation", "where run = $1", run),
    stepSummaries: (run) => summaries("where run = $1 order by unit", run),
    stepSummariesOf: (run, units) =>
      summaries("where run = $1 and unit = any($2::text[]) order by unit", run, [...units]),
    stepsToDrive: (run) =>
      select("step", "where run = $1 and status in ('ready', 'recording', 'waiting') order by unit", run),
    stepsOf: (run, units) => select("step", "where run = $1 and unit = any($2::text[]) order by unit", run, [...units]),
    step: (run, unit) => first("step", "where run = $1 and unit = $2", run, unit),
    stepsAfter: (run, unit) =>
      select("step", `where run = $1 and unit = any(array(${TARGETS})) order by unit`, run, unit),
    async stepAndAfter(run, unit) {
      const rows = await select(
        "step",
        `where run = $1 and unit = any(array(${TARGETS}) || $2::text) order by unit`,
        run,
        unit,
      );
      return { step: rows.find((row) => row.unit === unit), after: rows.filter((row) => row.unit !== unit) };
    },
    edges: (run) => select("stepEdge", `where run = $1 order by "from", "to"`, run),
    stepsOfUnit: (unit, limit) => select("step", "where unit = $1 order by run desc limit $2", unit, limit),
    peekTask: (id) => first("task", "where id = $1", id),
    task: (id) => first("task", "where id = $1 for update", id),
    openTasks: (run) => select("task", "where run = $1 and status in ('queued', 'leased') order by id for update", run),
    async claimableTask({ engines, pool, now }) {
      for (;;) {
        const [row] = await query(CLAIMABLE, [[...engines], pool, now, poolsOfWorker(pool)]);
        if (row === undefined) return undefined;
        const { writing, ...columns } = row;
        const task = fromColumns<"task">(columns);
        // Somebody took the last place meanwhile. The next look sees that, and nobody takes another place before it.
        if (Number(writing) < task.concurrency) return task;
      }
    },
    expiredTasks: ({ before }) =>
      select("task", "where status = 'leased' and lease_expires_at < $1 order by id", before),
    unfinishedTasks: (limit) =>
      select("task", "where status in ('queued', 'leased') order by created_at, id limit $1", limit),
    attempt: (task, number) => first("attempt", "where task = $1 and attempt = $2", task, number),
    attempts: (unit, limit) => select("attempt", "where unit = $1 order by attempt desc, task limit $2", unit, limit),
    fence: (unit) => first("unitFence", "where unit = $1 for update", unit),
    async raiseFence(unit) {
      const rows = await query(
        `insert into orchestrator.unit_fence (unit, value) values ($1, 1)
           on conflict (tenant, unit) do update set value = unit_fence.value + 1 returning value`,
        [unit],
      );
      return Number(rows[0]?.["value"]);
    },
    changeSet: (id) => first("changeSet", "where id = $1 for update", id),
    peekChangeSet: (id) => first("changeSet", "where id = $1", id),
    changeSets: ({ environment, environments, phase, author, series, parent, limit, before }) =>
      select(
        "changeSet",
        `where ($1::text is null or environment = $1) and ($2::text is null or phase = $2)
            and ($3::text is null or author = $3) and ($4::text is null or series = $4)
            and ($5::text is null or parent = $5) and ($6::text is null or id < $6)
            and ($8::text[] is null or environment = any($8)) order by id desc limit $7`,
        environment ?? null,
        phase ?? null,
        author ?? null,
        series ?? null,
        parent ?? null,
        before ?? null,
        limit,
        environments === undefined ? null : [...environments],
      ),
    approvals: (changeSet) => select("approval", "where change_set = $1 order by at, subject", changeSet),
    async locks() {
      // Taking locks is rare and must not race: two transactions that each see no lock would both grant one.
      await query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [`orchestrator.locks ${tenant}`]);
      return select("lock", "order by kind, name, run");
    },
    async leaseDrives({ replica, driving, now, until, unclaimedBefore }) {
      const rows = await query(LEASE_DRIVES, [replica, until, now, [...driving], unclaimedBefore]);
      return rows.map((row) => String(row["id"])).sort();
    },
    governance: (repository) => select("governance", "where repository = $1 order by environment", repository),
    updates: (run, after, limit, logs) =>
      select(
        "runUpdate",
        "where run = $1 and sequence > $2 and ($3::boolean or kind = 'progress') order by sequence limit $4",
        run,
        after,
        logs,
        limit,
      ),
    workers: (seenSince) => select("worker", "where seen_at >= $1 order by id", seenSince),
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
  const puts = new Map<keyof Tables, object[]>();
  const dropped: LockRow[] = [];
  for (const change of changes) {
    if ("event" in change)
      events.push({ ...change.event, id: ids.next("evt"), tenant, service: SERVICE, time: clock.now().toISOString() });
    else if ("drop" in change) dropped.push(change.row);
    else if (!puts.get(change.put)?.push(change.row)) puts.set(change.put, [change.row]);
  }
  if (dropped.length > 0)
    await tx.executeQuery(
      CompiledQuery.raw(DROP_LOCKS, [
        dropped.map((lock) => lock.kind),
        dropped.map((lock) => lock.name),
        dropped.map((lock) => lock.run),
      ]),
    );
  const inserts = [...puts].flatMap(([table, rows]) => upserts(table, rows));
  if (events.length > 0) inserts.push(...eventInserts(SERVICE, events));
  await insertAll(tx, inserts).catch((error: unknown) => {
    throw isUniqueViolation(error, "run_idempotency") ? new RunKeyTakenError(error) : error;
  });
  if (events.length > 0) announceEvents(SERVICE);
}

/** A statement holds at most 65,535 parameters. */
const MOST_PARAMETERS = 30_000;

/** Rows of one table each; several go as one statement, which costs the database one round and not one a table. */
async function insertAll(tx: Tx<unknown>, inserts: readonly RowInsert[]): Promise<void> {
  const size = inserts.reduce((total, { rows, columns }) => total + rows.length * columns.length, 0);
  for (const together of size <= MOST_PARAMETERS ? [inserts] : inserts.map((insert) => [insert])) {
    if (together.length === 0) continue;
    const parameters: unknown[] = [];
    const texts = together.map(({ table, columns, rows, conflict }) => {
      const values = rows.map((row) => {
        const places = row.map((value) => `$${parameters.push(value)}`);
        return `(${places.join(", ")})`;
      });
      return `insert into ${table} (${columns.join(", ")}) values ${values.join(", ")} ${conflict}`;
    });
    const last = texts.pop() ?? "";
    const before = texts.map((text, index) => `w${index} as (${text})`);
    const text = before.length === 0 ? last : `with ${before.join(", ")} ${last}`;
    await tx.executeQuery(CompiledQuery.raw(text, parameters));
  }
}

interface TableShape {
  readonly fields: readonly string[];
  readonly columns: readonly string[];
  readonly keys: readonly string[];
  readonly conflict: string;
}

const shapes = new Map<string, TableShape>();

/** Fields in one order, whoever made the row: the same statement each time. */
function shapeOf(table: keyof Tables, row: object): TableShape {
  const names = Object.keys(row);
  const name = `${table} ${names.join()}`;
  const known = shapes.get(name);
  if (known !== undefined) return known;
  const fields = names.sort();
  const keys: readonly string[] = KEYS[table];
  const quoted = (field: string): string => `"${snake(field)}"`;
  const assignments = fields
    .filter((field) => !keys.includes(field))
    .map((field) => `${quoted(field)} = excluded.${quoted(field)}`);
  const shape = {
    fields,
    keys,
    columns: fields.map(quoted),
    conflict: `on conflict (tenant, ${keys.map(quoted).join(", ")}) do ${assignments.length === 0 ? "nothing" : `update set ${assignments.join(", ")}`}`,
  };
  shapes.set(name, shape);
  return shape;
}

function upserts(table: keyof Tables, rows: readonly object[]): RowInsert[] {
  const [sample] = rows;
  if (sample === undefined) return [];
  const { fields, columns, keys, conflict } = shapeOf(table, sample);
  const records = rows.map((row): Record<string, unknown> => ({ ...row }));
  // The last write of a key wins: one statement may not touch a row twice.
  const latest = [...new Map(records.map((row) => [keys.map((key) => row[key]).join("\n"), row])).values()];
  const size = Math.max(1, Math.floor(MOST_PARAMETERS / fields.length));
  const name = `orchestrator.${snake(table)}`;
  const inserts: RowInsert[] = [];
  for (let from = 0; from < latest.length; from += size) {
    const slice = latest.slice(from, from + size);
    inserts.push({ table: name, columns, rows: slice.map((row) => fields.map((field) => row[field])), conflict });
  }
  return inserts;
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

const fieldNames = new Map<string, string>();

function fieldOf(column: string): string {
  const known = fieldNames.get(column);
  if (known !== undefined) return known;
  const field = column.replaceAll(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
  fieldNames.set(column, field);
  return field;
}

/** Columns that are no part of a row: who it belongs to, and who drives it (which changes without telling anybody). */
const UNSEEN: ReadonlySet<string> = new Set(["tenant", "driven_by", "driven_until"]);

/** The columns are this schema's own and carry the row's names; nothing but migrations and this file writes them. */
function fromColumns<T extends keyof Tables>(columns: Record<string, unknown>): Tables[T] {
  const row: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(columns)) {
    if (!UNSEEN.has(name)) row[fieldOf(name)] = value;
  }
  return row as unknown as Tables[T];
}
