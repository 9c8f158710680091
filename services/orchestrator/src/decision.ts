import type { EventDraft } from "./orchestrator-events.ts";
import type { Tables } from "./rows.ts";

/** One row to write or remove, or one event that is true once the transaction commits. */
export type Change =
  | { [T in keyof Tables]: { readonly put: T; readonly row: Tables[T] } }[keyof Tables]
  | { readonly drop: "lock"; readonly row: Tables["lock"] }
  | { readonly event: EventDraft };

/** What must happen after the commit. Every command can be derived again from the rows, so a crash loses none. */
export type Command =
  | { readonly kind: "drive"; readonly run: string }
  | { readonly kind: "offer"; readonly engine: string; readonly pool: string }
  /** Watchers look at the run, and at the steps of these units; without them, at all of its steps. */
  | { readonly kind: "notify"; readonly run: string; readonly units?: readonly string[] };

/** A pure answer to "this happened": rows to write and what to do next. Nothing has happened yet. */
export interface Decision {
  readonly changes: readonly Change[];
  readonly commands: readonly Command[];
}

export const NOTHING: Decision = { changes: [], commands: [] };

export function joinDecisions(...decisions: readonly Decision[]): Decision {
  return { changes: decisions.flatMap((d) => d.changes), commands: decisions.flatMap((d) => d.commands) };
}
