import type { AttemptClaims } from "@xcloudflow/chassis/attempt-token";
import type { Clock } from "@xcloudflow/chassis/clock";
import type { Ids } from "@xcloudflow/chassis/ids";
import type { Random } from "@xcloudflow/chassis/random";
import type { ChangeSet } from "@xcloudflow/model/change-set";
import type { Compilation } from "@xcloudflow/model/compilation";
import type { PlannerClient, PolicyClient, SecretsClient, StateClient } from "./collaborators.ts";
import type { DocumentCache } from "./document-cache.ts";
import type { OrchestratorStore } from "./orchestrator-store.ts";

/** Periods of the orchestrator, in milliseconds unless the name says otherwise. */
export interface OrchestratorTiming {
  /** How long a worker may be silent before its attempt is given up. */
  readonly lease: number;
  /** Added to a lease's end before a successor may start: a worker's host kills its engine before the lease ends. */
  readonly grace: number;
  /** Longest time between two sweeps; each comes up to a quarter earlier, so that replicas do not sweep in step. */
  readonly sweep: number;
  /** How long a replica that has swept a run keeps others' sweeps from driving it; longer than a sweep. */
  readonly drive: number;
  /** An approval binds to a plan no longer than this. */
  readonly changeSetLifetime: number;
  readonly taskTimeoutSeconds: number;
}

export const DEFAULT_TIMING: OrchestratorTiming = {
  lease: 30_000,
  grace: 5_000,
  sweep: 4_000,
  drive: 6_000,
  changeSetLifetime: 7 * 24 * 3_600_000,
  taskTimeoutSeconds: 3_600,
};

/** Everything a decision does not know by itself. Passed in whole, so that the simulator can replace any of it. */
export interface OrchestratorContext {
  readonly store: OrchestratorStore;
  readonly planner: PlannerClient;
  readonly policy: PolicyClient;
  readonly state: StateClient;
  readonly secrets: SecretsClient;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  /** Signs what one attempt may do; the key stays with whoever composed the process. */
  readonly signAttempt: (claims: AttemptClaims, issuedAt: Date, expiresAt: Date) => Promise<string>;
  readonly timing: OrchestratorTiming;
  /**
   * `mapped`: only who is known by name may approve, and only what known people wrote can be approved. `asserted`
   * (embedded, and the default): the caller's name is taken at its word.
   */
  readonly identities?: "asserted" | "mapped";
  /** Tells waiting workers and watchers in this process; other processes are told by the bus. */
  readonly signals: Signals;
  readonly compilations: DocumentCache<Compilation>;
  readonly changeSets: DocumentCache<ChangeSet>;
  /** Workers this process has written down lately: tenant and name → what was written, and when. */
  readonly notedWorkers: Map<string, { readonly engines: string; readonly at: number }>;
  /** The tenant that got the last worker of those who serve every tenant. */
  readonly lastServed: { tenant: string };
}

/** Wakes whoever waits for something that has just been committed. A lost wake-up costs a poll interval, no more. */
export interface Signals {
  /** Something about a run has changed: its driver should look. */
  drive(tenant: string, run: string): void;
  /** A task of the tenant waits for a worker: workers of other machines are to be told. */
  offer(tenant: string): void;
  /** `detail` is for those that follow the topic. */
  raise(topic: string, detail?: readonly string[]): void;
  /** Calls `listener` at every raise until the answer is called. */
  follow(topic: string, listener: (detail: readonly string[] | undefined) => void): () => void;
  /** Resolves at the next raise of the topic, after `milliseconds`, or when the signal is aborted. */
  wait(topic: string, milliseconds: number, signal?: AbortSignal): Promise<void>;
}
