import type { ServiceImpl } from "@connectrpc/connect";
import type { OrchestratorService } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { createDocumentCache } from "./document-cache.ts";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import { createOrchestratorRpc } from "./orchestrator-rpc.ts";
import { sweepLeases } from "./report-task.ts";
import { createRunDriver } from "./run-driver.ts";
import { createSignals } from "./signals.ts";

export interface OrchestratorOptions
  extends Omit<OrchestratorContext, "signals" | "compilations" | "changeSets" | "notedWorkers"> {
  /** No worker of before can be alive (embedded, after a restart): every lease is given up at once. */
  readonly soleProcess: boolean;
  readonly onError: (where: string, error: unknown) => void;
}

export interface Orchestrator {
  readonly rpc: ServiceImpl<typeof OrchestratorService>;
  readonly context: OrchestratorContext;
  /** Takes up what was unfinished when the process last ended. Call once, before workers start. */
  recover(): Promise<void>;
  /** Whether a run is moving by itself (waiting for people, windows or locks is not moving). */
  isBusy(): Promise<boolean>;
  /** Resolves when no run can be moved further without workers, people or the clock. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

/** Documents kept parsed; a few runs move at a time. */
const DOCUMENTS = 16;

/** Composes the orchestrator: driver, sweeper and RPC over one context. */
export function createOrchestrator(options: OrchestratorOptions): Orchestrator {
  const { store, clock, timing, onError } = options;
  const signals = createSignals(clock, (tenant, run) => driver.wake(tenant, run));
  const context: OrchestratorContext = {
    ...options,
    signals,
    compilations: createDocumentCache(DOCUMENTS),
    changeSets: createDocumentCache(DOCUMENTS),
    notedWorkers: new Map(),
  };
  const driver = createRunDriver(context, (run, error) => {
    onError(`driving ${run}`, error);
  });
  let closed = false;
  let cancelTimer: () => void = () => undefined;
  let sweeping: Promise<void> = Promise.resolve();

  async function eachTenant(work: (tenant: string) => Promise<void>): Promise<void> {
    for (const tenant of await store.activeTenants()) await work(tenant);
  }

  async function driveActive(tenant: string): Promise<void> {
    const runs = await store.transact(tenant, "list-active-runs", (tx) => tx.runs({ active: true, limit: 1_000 }));
    for (const run of runs) driver.wake(tenant, run.id);
  }

  /** Leases that ran out, and runs whose wake-up was lost: both cost at most one period. */
  async function sweep(): Promise<void> {
    const before = new Date(clock.now().getTime() - timing.grace).toISOString();
    await eachTenant(async (tenant) => {
      await sweepLeases(context, tenant, before);
      await driveActive(tenant);
    });
  }

  function scheduleSweep(): void {
    if (closed) return;
    cancelTimer = clock.schedule(timing.sweep, () => {
      sweeping = sweep()
        .catch((error: unknown) => onError("sweeping leases", error))
        .then(scheduleSweep);
    });
  }

  return {
    rpc: createOrchestratorRpc(context),
    context,
    async recover() {
      const end = options.soleProcess ? "9999" : new Date(clock.now().getTime() - timing.grace).toISOString();
      await eachTenant(async (tenant) => {
        await sweepLeases(context, tenant, end);
        await driveActive(tenant);
      });
      scheduleSweep();
    },
    async isBusy() {
      for (const tenant of await store.activeTenants()) {
        const runs = await store.transact(tenant, "list-active-runs", (tx) => tx.runs({ active: true, limit: 1_000 }));
        if (runs.some((run) => run.status !== "waiting")) return true;
      }
      return false;
    },
    idle: () => driver.idle(),
    async close() {
      closed = true;
      cancelTimer();
      await sweeping;
      await driver.close();
    },
  };
}
