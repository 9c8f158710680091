import type { Change } from "./decision.ts";
import type { EventDraft } from "./orchestrator-events.ts";
import { RunKeyTakenError } from "./orchestrator-store.ts";
import { KEYS, type Tables } from "./rows.ts";

/** Who drives a run until when; no part of its row, as in SQL. */
export interface Drive {
  readonly by: string;
  readonly until: string;
}

/** One tenant's rows by key. */
export type RowMaps = { [T in keyof Tables]: Map<string, Tables[T]> };
export type MemoryTables = RowMaps & { drive: Map<string, Drive> };

export function emptyTables(): MemoryTables {
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
    drive: new Map(),
  };
}

/** Rows are immutable, so a shallow copy of each table is a snapshot. */
export function copyTables(tables: MemoryTables): MemoryTables {
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
    drive: new Map(tables.drive),
  };
}

/** As SQL does it: removals, then rows, the last of a key, then events. */
export function writeChanges(tables: MemoryTables, said: EventDraft[], changes: readonly Change[]): void {
  for (const change of changes) if ("drop" in change) tables.lock.delete(keyOf("lock", change.row));
  for (const change of changes) {
    if ("event" in change) said.push(change.event);
    else if ("put" in change) putRow(tables, change.put, change.row);
  }
  const keys = [...tables.run.values()].flatMap((run) => run.idempotencyKey ?? []);
  if (new Set(keys).size < keys.length) throw new RunKeyTakenError();
}

export function putRow<T extends keyof Tables>(tables: MemoryTables, table: T, row: Tables[keyof Tables]): void {
  // `Change` pairs each table with its own row type; the union loses that pairing here.
  const target = tables[table] as Map<string, Tables[keyof Tables]>;
  target.set(keyOf(table, row as Tables[T]), row);
}

function keyOf<T extends keyof Tables>(table: T, row: Tables[T]): string {
  const fields: readonly PropertyKey[] = KEYS[table];
  return Object.entries(row)
    .filter(([name]) => fields.includes(name))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, value]) => String(value))
    .join("\n");
}
