import type { Change } from "./decision.ts";
import type { EventDraft } from "./orchestrator-events.ts";
import type { OrchestratorStore, OrchestratorTransaction } from "./orchestrator-store.ts";
import { KEYS, type Tables } from "./rows.ts";
import { poolsOfWorker } from "./task-specs.ts";

type MemoryTables = { [T in keyof Tables]: Map<string, Tables[T]> };

export interface MemoryOrchestratorStore extends OrchestratorStore {
  /** Events of every committed transaction, in order. */
  readonly events: readonly EventDraft[];
  readonly tables: { readonly [T in keyof Tables]: ReadonlyMap<string, Tables[T]> };
}

/** For the simulator: one tenant's rows in memory, one transaction at a time, all or nothing. */
export function createMemoryOrchestratorStore(): MemoryOrchestratorStore {
  let tables = emptyTables();
  const events: EventDraft[] = [];
  let last: Promise<unknown> = Promise.resolve();
  const store: MemoryOrchestratorStore = {
    events,
    get tables() {
      return tables;
    },
    transact(_tenant, _name, work) {
      const turn = last.then(async () => {
        const draft = copyTables(tables);
        const said: EventDraft[] = [];
        const result = await work(bind(draft, said));
        tables = draft;
        events.push(...said);
        return result;
      });
      last = turn.catch(() => undefined);
      return turn;
    },
    activeTenants: async () => ([...tables.run.values()].some((run) => run.phase !== "done") ? ["default"] : []),
  };
  return store;
}

function emptyTables(): MemoryTables {
  return {
    run: new Map(),
    compilation: new Map(),
    step: new Map(),
    stepEdge: new Map(),
    task: new Map(),
    attempt: new Map(),
    unitFence: new Map(),
    changeSet: new Map(),
    approval: new Map(),
    lock: new Map(),
    governance: new Map(),
    runUpdate: new Map(),
    worker: new Map(),
  };
}

/** Rows are immutable, so a shallow copy of each table is a snapshot. */
function copyTables(tables: MemoryTables): MemoryTables {
  return {
    run: new Map(tables.run),
    compilation: new Map(tables.compilation),
    step: new Map(tables.step),
    stepEdge: new Map(tables.stepEdge),
    task: new Map(tables.task),
    attempt: new Map(tables.attempt),
    unitFence: new Map(tables.unitFence),
    changeSet: new Map(tables.changeSet),
    approval: new Map(tables.approval),
    lock: new Map(tables.lock),
    governance: new Map(tables.governance),
    runUpdate: new Map(tables.runUpdate),
    worker: new Map(tables.worker),
  };
}

function keyOf<T extends keyof Tables>(table: T, row: Tables[T]): string {
  const fields: readonly PropertyKey[] = KEYS[table];
  return Object.entries(row)
    .filter(([name]) => fields.includes(name))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, value]) => String(value))
    .join("\n");
}

function bind(tables: MemoryTables, said: EventDraft[]): OrchestratorTransaction {
  const all = <T extends keyof Tables>(table: T): Tables[T][] => [...tables[table].values()];
  const byId = <T extends { readonly id: string }>(a: T, b: T): number => (a.id < b.id ? 1 : -1);
  const run = async (id: string) => tables.run.get(id);
  const task = async (id: string) => tables.task.get(id);
  const stepsAfter = async (id: string, unit: string) => {
    const next = new Set(
      all("stepEdge")
        .filter((edge) => edge.run === id && edge.from === unit)
        .map((edge) => edge.to),
    );
    return all("step").filter((row) => row.run === id && next.has(row.unit));
  };
  return {
    lockRun: run,
    lockRunOfTask: async (id) => tables.run.get(tables.task.get(id)?.run ?? ""),
    run,
    runByKey: async (key) => all("run").find((row) => row.idempotencyKey === key),
    runs: async ({ environment, active, before, limit }) =>
      all("run")
        .filter(
          (row) =>
            (environment === undefined || row.environment === environment) &&
            (active !== true || row.phase !== "done") &&
            (before === undefined || row.id < before),
        )
        .sort(byId)
        .slice(0, limit),
    steps: async (id) => all("step").filter((row) => row.run === id),
    compilation: async (id) => tables.compilation.get(id),
    stepSummaries: async (id) => all("step").filter((row) => row.run === id),
    stepSummariesOf: async (id, units) => all("step").filter((row) => row.run === id && units.includes(row.unit)),
    stepsToDrive: async (id) =>
      all("step").filter(
        (row) => row.run === id && (row.status === "ready" || row.status === "recording" || row.status === "waiting"),
      ),
    stepsOf: async (id, units) => all("step").filter((row) => row.run === id && units.includes(row.unit)),
    step: async (id, unit) => all("step").find((row) => row.run === id && row.unit === unit),
    stepsAfter,
    stepAndAfter: async (id, unit) => ({
      step: all("step").find((row) => row.run === id && row.unit === unit),
      after: await stepsAfter(id, unit),
    }),
    edges: async (id) => all("stepEdge").filter((row) => row.run === id),
    stepsOfUnit: async (unit, limit) =>
      all("step")
        .filter((row) => row.unit === unit)
        .sort((a, b) => (a.run < b.run ? 1 : -1))
        .slice(0, limit),
    peekTask: task,
    task,
    openTasks: async (id) =>
      all("task").filter((row) => row.run === id && (row.status === "queued" || row.status === "leased")),
    claimableTask: async ({ engines, pool, now }) => {
      const writes = (kind: string): boolean => kind === "apply" || kind === "restore";
      const busy = (environment: string): number =>
        all("task").filter((row) => row.environment === environment && row.status === "leased" && writes(row.kind))
          .length;
      return all("task")
        .filter(
          (row) =>
            row.status === "queued" &&
            engines.includes(row.engine) &&
            (pool === "" || poolsOfWorker(pool).includes(row.pool)) &&
            row.availableAt <= now,
        )
        .filter((row) => !writes(row.kind) || busy(row.environment) < row.concurrency)
        .sort((a, b) => (`${a.createdAt} ${a.id}` < `${b.createdAt} ${b.id}` ? -1 : 1))[0];
    },
    expiredTasks: async ({ before }) =>
      all("task").filter((row) => row.status === "leased" && (row.leaseExpiresAt ?? "") < before),
    attempt: async (id, number) => all("attempt").find((row) => row.task === id && row.attempt === number),
    attempts: async (unit, limit) =>
      all("attempt")
        .filter((row) => row.unit === unit)
        .sort((a, b) => b.attempt - a.attempt)
        .slice(0, limit),
    fence: async (unit) => tables.unitFence.get(unit),
    raiseFence: async (unit) => {
      const value = (tables.unitFence.get(unit)?.value ?? 0) + 1;
      put(tables, "unitFence", { unit, value });
      return value;
    },
    peekChangeSet: async (id) => tables.changeSet.get(id),
    changeSet: async (id) => tables.changeSet.get(id),
    changeSets: async ({ environment, phase, author, series, parent, limit, before }) =>
      all("changeSet")
        .filter(
          (row) =>
            (environment === undefined || row.environment === environment) &&
            (phase === undefined || row.phase === phase),
        )
        .filter(
          (row) => (author === undefined || row.author === author) && (series === undefined || row.series === series),
        )
        .filter((row) => (parent === undefined || row.parent === parent) && (before === undefined || row.id < before))
        .sort(byId)
        .slice(0, limit),
    approvals: async (id) => all("approval").filter((row) => row.changeSet === id),
    locks: async () => all("lock"),
    governance: async (repository) => all("governance").filter((row) => row.repository === repository),
    updates: async (id, after, limit, logs) =>
      all("runUpdate")
        .filter((row) => row.run === id && row.sequence > after && (logs || row.kind === "progress"))
        .sort((a, b) => a.sequence - b.sequence)
        .slice(0, limit),
    workers: async (seenSince) => all("worker").filter((row) => row.seenAt >= seenSince),
    write: async (changes) => {
      for (const change of changes) writeOne(tables, said, change);
    },
  };
}

function writeOne(tables: MemoryTables, said: EventDraft[], change: Change): void {
  if ("event" in change) said.push(change.event);
  else if ("drop" in change) tables.lock.delete(keyOf("lock", change.row));
  else put(tables, change.put, change.row);
}

function put<T extends keyof Tables>(tables: MemoryTables, table: T, row: Tables[keyof Tables]): void {
  // `Change` pairs each table with its own row type; the union loses that pairing here.
  const target = tables[table] as Map<string, Tables[keyof Tables]>;
  target.set(keyOf(table, row as Tables[T]), row);
}
