import { type Clock, pause } from "@xcloudflow/chassis/clock";
import type { Ids } from "@xcloudflow/chassis/ids";
import type { Random } from "@xcloudflow/chassis/random";
import type { OrchestratorContext, OrchestratorTiming } from "@xcloudflow/orchestrator/orchestrator-context";
import { createOrchestrator } from "@xcloudflow/orchestrator/orchestrator-service";
import type { OrchestratorStore } from "@xcloudflow/orchestrator/orchestrator-store";
import type { SimulatedWorld } from "./simulated-world.ts";

/** One orchestrator process. Dead, nothing it began goes on: what it was waiting for never comes. */
export interface SimulatedReplica {
  readonly name: string;
  readonly alive: boolean;
  /** A call from outside; it breaks when the process dies before it has answered. */
  ask<T>(call: (context: OrchestratorContext) => Promise<T>): Promise<T>;
  crash(): void;
}

/** Thrown at whoever waits for an answer of a process that has died. */
class ReplicaDiedError extends Error {}

export interface ReplicaOptions {
  readonly name: string;
  readonly store: OrchestratorStore;
  readonly world: SimulatedWorld;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly timing: OrchestratorTiming;
  /** Probability that a transaction or a call takes long: others act meanwhile, and the process may die. */
  readonly slowness: () => number;
}

export function startSimulatedReplica(options: ReplicaOptions): SimulatedReplica {
  const { name, world, clock, ids, random } = options;
  const death = Promise.withResolvers<never>();
  death.promise.catch(() => undefined);
  let alive = true;

  /** Before and after anything that leaves the process, time may pass; a process that died meanwhile never goes on. */
  async function outside<T>(act: () => Promise<T>): Promise<T> {
    await linger();
    const result = await act();
    await linger();
    return result;
  }

  async function linger(): Promise<void> {
    if (random.float() < options.slowness()) await pause(clock, 50 + random.integer(9_000));
    if (!alive) await new Promise<never>(() => undefined);
  }

  function slowed<C extends object>(client: C): C {
    return new Proxy(client, {
      get(target, key, receiver) {
        const method: unknown = Reflect.get(target, key, receiver);
        if (typeof method !== "function") return method;
        return (...parameters: unknown[]) => outside(async () => Reflect.apply(method, target, parameters));
      },
    });
  }

  const store: OrchestratorStore = {
    transact: (tenant, transaction, work) => outside(() => options.store.transact(tenant, transaction, work)),
    activeTenants: () => outside(() => options.store.activeTenants()),
    tenantsWithTasks: (query) => outside(() => options.store.tenantsWithTasks(query)),
  };
  const orchestrator = createOrchestrator({
    store,
    planner: slowed(world.planner),
    policy: slowed(world.policy),
    state: slowed(world.state),
    secrets: slowed(world.secrets),
    clock,
    ids,
    random,
    signAttempt: async () => "token",
    timing: options.timing,
    soleProcess: false,
    onError: () => undefined,
  });
  void orchestrator.recover();

  return {
    name,
    get alive() {
      return alive;
    },
    async ask(call) {
      if (!alive) throw new ReplicaDiedError(name);
      return Promise.race([outside(() => call(orchestrator.context)), death.promise]);
    },
    crash() {
      alive = false;
      death.reject(new ReplicaDiedError(name));
      void orchestrator.close();
    },
  };
}
