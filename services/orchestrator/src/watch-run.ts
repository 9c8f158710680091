import { create } from "@bufbuild/protobuf";
import { pause } from "@xcloudflow/chassis/clock";
import { CodedError } from "@xcloudflow/model/coded-error";
import { type WatchRunResponse, WatchRunResponseSchema } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { z } from "zod";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import type { OrchestratorTransaction } from "./orchestrator-store.ts";
import { runTopic } from "./perform-commands.ts";
import type { RunRow, RunUpdateRow, StepSummary } from "./rows.ts";
import { viewRun, viewStep } from "./run-view.ts";

/** Thrown when an id names no run of the tenant. */
export class RunNotFoundError extends CodedError {
  constructor(id: string) {
    super("RUN_NOT_FOUND", "notFound", { where: id, what: "there is no such run", hint: "`xcf runs` lists them" });
  }
}

const POLL_MILLISECONDS = 1_000;
const PAGE = 500;
const BREATH_MILLISECONDS = 100;
const LOOK_MILLISECONDS_PER_STEP = 10;

/**
 * A run as it moves: first how it is, then every change, then its end. Rows are compared with what was sent before, so a
 * watcher that was slow sees the newest state and misses no end; logs come in sequence from `after` on.
 *
 * @throws {RunNotFoundError} when there is no such run.
 */
export async function* watchRun(
  context: OrchestratorContext,
  tenant: string,
  id: string,
  after: number,
  logs: boolean,
  signal: AbortSignal,
): AsyncGenerator<WatchRunResponse> {
  const sent = new Map<string, string>();
  let sequence = after;
  /** Units whose steps may have changed; undefined: any. */
  let told: Set<string> | undefined;
  let looked = Number.NEGATIVE_INFINITY;
  const forget = context.signals.follow(runTopic(id), (units) => {
    if (units === undefined) told = undefined;
    else for (const unit of units) told?.add(unit);
  });
  try {
    while (!signal.aborted) {
      const changed = context.signals.wait(runTopic(id), POLL_MILLISECONDS, signal);
      const now = context.clock.now();
      // Only this process tells which steps have changed: now and then all are looked at, less often the more there are.
      if (now.getTime() - looked >= Math.max(POLL_MILLISECONDS, sent.size * LOOK_MILLISECONDS_PER_STEP))
        told = undefined;
      const units = told;
      told = new Set();
      if (units === undefined) looked = now.getTime();
      const { run, steps, updates } = await context.store.transact(tenant, "watch-run", (tx) =>
        look(tx, id, units, sequence, logs),
      );
      if (run === undefined) throw new RunNotFoundError(id);
      const time = now.toISOString();
      for (const update of updates) {
        sequence = update.sequence;
        yield viewUpdate(update);
      }
      for (const step of steps)
        if (isNew(sent, step.unit, step))
          yield create(WatchRunResponseSchema, {
            sequence: BigInt(sequence),
            time,
            update: { case: "step", value: viewStep(step) },
          });
      if (updates.length < PAGE) {
        if (isNew(sent, "", withoutSequence(run)))
          yield create(WatchRunResponseSchema, {
            sequence: BigInt(sequence),
            time,
            update: { case: "run", value: viewRun(run) },
          });
        if (run.phase === "done") return;
        await changed;
        // Many rows change at once; one look tells of all of them.
        await pause(context.clock, BREATH_MILLISECONDS, signal).catch(() => undefined);
      }
    }
  } finally {
    forget();
  }
}

async function look(
  tx: OrchestratorTransaction,
  id: string,
  units: ReadonlySet<string> | undefined,
  sequence: number,
  logs: boolean,
): Promise<{ run: RunRow | undefined; steps: StepSummary[]; updates: RunUpdateRow[] }> {
  const run = await tx.run(id);
  // The end is told with everything before it.
  const all = units === undefined || run?.phase === "done";
  const steps = all ? await tx.stepSummaries(id) : units.size === 0 ? [] : await tx.stepSummariesOf(id, [...units]);
  const updates = (run?.sequence ?? 0) > sequence ? await tx.updates(id, sequence, PAGE, logs) : [];
  return { run, steps, updates };
}

function withoutSequence(run: RunRow): Omit<RunRow, "sequence"> {
  const { sequence: _sequence, ...rest } = run;
  return rest;
}

function isNew(sent: Map<string, string>, key: string, row: Partial<RunRow> | StepSummary): boolean {
  const text = JSON.stringify(row);
  if (sent.get(key) === text) return false;
  sent.set(key, text);
  return true;
}

const logSchema = z.object({ unit: z.string(), time: z.string(), stream: z.string(), text: z.string() });
const progressSchema = z.object({ unit: z.string(), resource: z.string(), action: z.string(), message: z.string() });

function viewUpdate(update: RunUpdateRow): WatchRunResponse {
  const base = { sequence: BigInt(update.sequence), time: update.time };
  if (update.kind === "log") {
    const { unit, ...line } = logSchema.parse(JSON.parse(update.document));
    return create(WatchRunResponseSchema, { ...base, update: { case: "log", value: { unit, line } } });
  }
  const { unit, ...progress } = progressSchema.parse(JSON.parse(update.document));
  return create(WatchRunResponseSchema, { ...base, update: { case: "progress", value: { unit, progress } } });
}
