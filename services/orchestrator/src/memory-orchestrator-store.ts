import { checkScope, tenantScope } from "@xcloudflow/database/scope";
import { insideTransaction, refuseNesting } from "@xcloudflow/database/transaction-context";
import { copyTables, emptyTables, type MemoryTables } from "./memory-tables.ts";
import { bindMemory, isOffered } from "./memory-transaction.ts";
import type { EventDraft } from "./orchestrator-events.ts";
import type { OrchestratorStore } from "./orchestrator-store.ts";
import type { Tables } from "./rows.ts";

export interface MemoryOrchestratorStore extends OrchestratorStore {
  /** Events of every committed transaction, in order. */
  readonly events: readonly (EventDraft & { readonly tenant: string })[];
  tablesOf(tenant: string): { readonly [T in keyof Tables]: ReadonlyMap<string, Tables[T]> };
}

/** For the simulator: rows in memory, one transaction at a time, all or nothing. */
export function createMemoryOrchestratorStore(): MemoryOrchestratorStore {
  const tenants = new Map<string, MemoryTables>();
  const events: (EventDraft & { tenant: string })[] = [];
  let last: Promise<unknown> = Promise.resolve();

  /** Tenants, sorted, of which some row is as asked. */
  function tenantsWith(has: (tables: MemoryTables) => boolean): string[] {
    return [...tenants].flatMap(([tenant, tables]) => (has(tables) ? [tenant] : [])).sort();
  }

  return {
    events,
    tablesOf: (tenant) => tenants.get(tenant) ?? emptyTables(),
    async transact(tenant, name, work) {
      checkScope(tenantScope("orchestrator", tenant, name));
      refuseNesting(name);
      const turn = last.then(async () => {
        const draft = copyTables(tenants.get(tenant) ?? emptyTables());
        const said: EventDraft[] = [];
        const { result } = await insideTransaction(name, () => work(bindMemory(draft, said)));
        tenants.set(tenant, draft);
        events.push(...said.map((event) => ({ ...event, tenant })));
        return result;
      });
      last = turn.catch(() => undefined);
      return turn;
    },
    activeTenants: async () => tenantsWith(({ run }) => run.values().some((row) => row.phase !== "done")),
    tenantsWithTasks: async (query) => tenantsWith(({ task }) => task.values().some((row) => isOffered(row, query))),
  };
}
