import type { ServiceImpl } from "@connectrpc/connect";
import type { XcfEvent } from "@xcloudflow/chassis/event";
import type { OrchestratorService } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { createDocumentCache } from "./document-cache.ts";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import { createOrchestratorRpc } from "./orchestrator-rpc.ts";
import type { OrchestratorTransaction } from "./orchestrator-store.ts";
import { performCommands } from "./perform-commands.ts";
import { commandsOf } from "./remote-events.ts";
import { sweepLeases } from "./report-task.ts";
import { createRunDriver } from "./run-driver.ts";
import { createSignals } from "./signals.ts";

export interface OrchestratorOptions
  extends Omit<OrchestratorContext, "signals" | "compilations" | "changeSets" | "notedWorkers" | "lastServed"> {
  /** No worker of before can be alive (embedded, after a restart): every lease is given up at once. */
  readonly soleProcess: boolean;
  /** Told when a task of a tenant waits for a worker; claims that wait in this process know already. */
  readonly onOffer?: (tenant: string) => void;
  readonly onError: (where: string, error: unknown) => void;
}

export interface Orchestrator {
  readonly rpc: ServiceImpl<typeof OrchestratorService>;
  readonly context: OrchestratorContext;
  /** Takes up what was unfinished when the process last ended. Call once, before workers start. */
  recover(): Promise<void>;
  /** An event that another replica over the same database has committed: those who wait here for it look at the rows. */
  heard(event: XcfEvent): void;
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
  const signals = createSignals(clock, (tenant, run) => driver.wake(tenant, run), options.onOffer ?? (() => undefined));
  const context: OrchestratorContext = {
    ...options,
    signals,
    compilations: createDocumentCache(DOCUMENTS),
    changeSets: createDocumentCache(DOCUMENTS),
    notedWorkers: new Map(),
    lastServed: { tenant: "" },
  };
  const driver = createRunDriver(context, (run, error) => {
    onError(`driving ${run}`, error);
  });
  /** This process among those that share the database. */
  const replica = options.ids.next("replica");
  let closed = false;
  let cancelTimer: () => void = () => undefined;
  let sweeping: Promise<void> = Promise.resolve();

  async function eachTenant(work: (tenant: string) => Promise<void>): Promise<void> {
    for (const tenant of await store.activeTenants()) await work(tenant);
  }

  async function driveActive(tenant: string): Promise<void> {
    for (const run of await store.transact(tenant, "list-runs-to-drive", runsToDrive)) driver.wake(tenant, run);

    async function runsToDrive(tx: OrchestratorTransaction): Promise<string[]> {
      if (options.soleProcess) return (await tx.runs({ active: true, limit: 1_000 })).map((run) => run.id);
      const now = clock.now().getTime();
      return tx.leaseDrives({
        replica,
        driving: driver.driving(tenant),
        now: new Date(now).toISOString(),
        until: new Date(now + timing.drive).toISOString(),
        // Whoever starts a run drives it at once, and has it as its own with its next sweep.
        unclaimedBefore: new Date(now - timing.drive).toISOString(),
      });
    }
  }

  /** Leases that ran out, and runs whose wake-up was lost: both cost at most one period. */
  async function sweep(before = new Date(clock.now().getTime() - timing.grace).toISOString()): Promise<void> {
    await eachTenant(async (tenant) => {
      try {
        await sweepLeases(context, tenant, before);
        await driveActive(tenant);
      } catch (error) {
        // One tenant's trouble must not keep the others from being looked at.
        onError(`sweeping ${tenant}`, error);
      }
    });
  }

  function scheduleSweep(): void {
    if (closed) return;
    const early = options.soleProcess ? 0 : context.random.float() / 4;
    cancelTimer = clock.schedule(timing.sweep * (1 - early), () => {
      sweeping = sweep()
        .catch((error: unknown) => onError("sweeping", error))
        .then(scheduleSweep);
    });
  }

  return {
    rpc: createOrchestratorRpc(context),
    context,
    async recover() {
      await (options.soleProcess ? sweep("9999") : sweep()).finally(scheduleSweep);
    },
    heard: (event) => performCommands(context, event.tenant, commandsOf(event)),
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
