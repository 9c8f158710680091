import { type MemoryTables, putRow, type RowMaps, writeChanges } from "./memory-tables.ts";
import type { EventDraft } from "./orchestrator-events.ts";
import type { OrchestratorTransaction } from "./orchestrator-store.ts";
import type { StepRow, StepSummary, Tables, TaskRow } from "./rows.ts";
import { poolsOfWorker } from "./task-specs.ts";

/** One transaction over a draft of a tenant's rows. Nothing runs beside it, so nothing needs a lock. */
export function bindMemory(tables: MemoryTables, said: EventDraft[]): OrchestratorTransaction {
  const maps: RowMaps = tables;
  const all = <T extends keyof Tables>(table: T): Tables[T][] => [...maps[table].values()];
  const run = async (id: string) => tables.run.get(id);
  const task = async (id: string) => tables.task.get(id);
  const changeSet = async (id: string) => tables.changeSet.get(id);
  const newestFirst = <T extends { readonly id: string }>(rows: T[]): T[] =>
    rows.sort(by<T>((row) => [row.id])).reverse();
  const stepsOf = (id: string, wanted: (row: StepRow) => boolean): StepRow[] =>
    all("step")
      .filter((row) => row.run === id && wanted(row))
      .sort(by((row) => [row.unit]));
  const stepsAfter = async (id: string, unit: string) => {
    const next = new Set(all("stepEdge").flatMap((edge) => (edge.run === id && edge.from === unit ? [edge.to] : [])));
    return stepsOf(id, (row) => next.has(row.unit));
  };
  const writing = (environment: string): number =>
    all("task").filter((row) => row.environment === environment && row.status === "leased" && writes(row)).length;

  return {
    lockRun: run,
    lockRunOfTask: async (id) => tables.run.get(tables.task.get(id)?.run ?? ""),
    run,
    runByKey: async (key) => all("run").find((row) => row.idempotencyKey === key),
    runs: async ({ environment, environments, active, before, limit }) =>
      newestFirst(
        all("run").filter(
          (row) =>
            (environment === undefined || row.environment === environment) &&
            (environments === undefined || environments.includes(row.environment)) &&
            (active !== true || row.phase !== "done") &&
            (before === undefined || row.id < before),
        ),
      ).slice(0, limit),
    compilation: async (id) => tables.compilation.get(id),
    steps: async (id) => stepsOf(id, () => true),
    stepSummaries: async (id) => stepsOf(id, () => true).map(summary),
    stepSummariesOf: async (id, units) => stepsOf(id, (row) => units.includes(row.unit)).map(summary),
    stepsToDrive: async (id) =>
      stepsOf(id, ({ status }) => status === "ready" || status === "recording" || status === "waiting"),
    stepsOf: async (id, units) => stepsOf(id, (row) => units.includes(row.unit)),
    step: async (id, unit) => stepsOf(id, (row) => row.unit === unit)[0],
    stepsAfter,
    stepAndAfter: async (id, unit) => ({
      step: stepsOf(id, (row) => row.unit === unit)[0],
      after: (await stepsAfter(id, unit)).filter((row) => row.unit !== unit),
    }),
    edges: async (id) =>
      all("stepEdge")
        .filter((row) => row.run === id)
        .sort(by((row) => [row.from, row.to])),
    stepsOfUnit: async (unit, limit) =>
      all("step")
        .filter((row) => row.unit === unit)
        .sort(by((row) => [row.run]))
        .reverse()
        .slice(0, limit),
    peekTask: task,
    task,
    openTasks: async (id) =>
      all("task")
        .filter((row) => row.run === id && (row.status === "queued" || row.status === "leased"))
        .sort(by((row) => [row.id])),
    claimableTask: async (query) =>
      all("task")
        .filter((row) => isOffered(row, query))
        .filter((row) => !writes(row) || writing(row.environment) < row.concurrency)
        .sort(by((row) => [row.createdAt, row.id]))[0],
    expiredTasks: async ({ before }) =>
      all("task")
        .filter((row) => row.status === "leased" && row.leaseExpiresAt !== null && row.leaseExpiresAt < before)
        .sort(by((row) => [row.id])),
    unfinishedTasks: async (limit) =>
      all("task")
        .filter((row) => row.status === "queued" || row.status === "leased")
        .sort(by((row) => [row.createdAt, row.id]))
        .slice(0, limit),
    attempt: async (id, number) => all("attempt").find((row) => row.task === id && row.attempt === number),
    attempts: async (unit, limit) =>
      all("attempt")
        .filter((row) => row.unit === unit)
        .sort(by((row) => [row.task]))
        .sort((a, b) => b.attempt - a.attempt)
        .slice(0, limit),
    fence: async (unit) => tables.unitFence.get(unit),
    raiseFence: async (unit) => {
      const value = (tables.unitFence.get(unit)?.value ?? 0) + 1;
      putRow(tables, "unitFence", { unit, value });
      return value;
    },
    changeSet,
    peekChangeSet: changeSet,
    changeSets: async ({ environment, environments, phase, author, series, parent, limit, before }) =>
      newestFirst(
        all("changeSet").filter(
          (row) =>
            (environment === undefined || row.environment === environment) &&
            (environments === undefined || environments.includes(row.environment)) &&
            (phase === undefined || row.phase === phase) &&
            (author === undefined || row.author === author) &&
            (series === undefined || row.series === series) &&
            (parent === undefined || row.parent === parent) &&
            (before === undefined || row.id < before),
        ),
      ).slice(0, limit),
    approvals: async (id) =>
      all("approval")
        .filter((row) => row.changeSet === id)
        .sort(by((row) => [row.at, row.subject])),
    locks: async () => all("lock").sort(by((row) => [row.kind, row.name, row.run])),
    leaseDrives: async ({ replica, driving, now, until, unclaimedBefore }) => {
      const leased = all("run").filter((row) => {
        if (row.phase === "done") return false;
        const drive = tables.drive.get(row.id);
        if (driving.includes(row.id) || drive?.by === replica) return true;
        return drive === undefined ? row.createdAt <= unclaimedBefore : drive.until <= now;
      });
      for (const { id } of leased) tables.drive.set(id, { by: replica, until });
      return leased.map(({ id }) => id).sort();
    },
    governance: async (repository) =>
      all("governance")
        .filter((row) => row.repository === repository)
        .sort(by((row) => [row.environment])),
    updates: async (id, after, limit, logs) =>
      all("runUpdate")
        .filter((row) => row.run === id && row.sequence > after && (logs || row.kind === "progress"))
        .sort((a, b) => a.sequence - b.sequence)
        .slice(0, limit),
    workers: async (seenSince) =>
      all("worker")
        .filter((row) => row.seenAt >= seenSince)
        .sort(by((row) => [row.id])),
    write: async (changes) => writeChanges(tables, said, changes),
  };
}

/** Whether a worker could take the task as far as the task itself says. */
export function isOffered(
  row: TaskRow,
  { engines, pool, now }: { readonly engines: readonly string[]; readonly pool: string; readonly now: string },
): boolean {
  return (
    row.status === "queued" &&
    engines.includes(row.engine) &&
    (pool === "" || poolsOfWorker(pool).includes(row.pool)) &&
    row.availableAt <= now
  );
}

function writes({ kind }: TaskRow): boolean {
  return kind === "apply" || kind === "restore";
}

function summary({ plan: _plan, result: _result, inputs: _inputs, ...rest }: StepRow): StepSummary {
  return rest;
}

/** Ascending by texts, the first that differs deciding. */
function by<T>(keys: (row: T) => readonly string[]): (a: T, b: T) => number {
  return (a, b) => {
    const others = keys(b);
    for (const [index, key] of keys(a).entries()) {
      const other = others[index] ?? "";
      if (key !== other) return key < other ? -1 : 1;
    }
    return 0;
  };
}
