import type { ResourceChange, UnitPlan } from "@xcloudflow/model/unit-plan";
import type { Attempt } from "./attempt.ts";

/**
 * The seam between the host and what changes the world. The host owns everything that is the same for every engine
 * (claiming, leases, scratch, secrets, logs, cancel and kill); an engine turns one task into calls of one tool and the
 * tool's words into the model's shapes. Seven verbs, no state between them: whatever a verb needs is in the attempt.
 * `verify` and `inspect` are composed by the host from `plan` and `outputs`. What an engine cannot do it says in
 * `capabilities`; nobody asks which engine it is.
 */
export interface Engine {
  /** As in a unit's route: `terraform`. */
  readonly name: string;
  /** As found on this machine; plans made by one version are not applied by another. */
  readonly version: string;
  /** Of further programs that units may choose instead. */
  readonly otherVersions?: readonly string[];
  /** Names or paths of what it starts: an isolated engine's user must be able to. */
  readonly programs?: readonly string[];
  readonly capabilities: EngineCapabilities;

  /** What would be done. Throws an `EngineFailedError` when the tool cannot say; then nothing was changed. */
  plan(attempt: Attempt): Promise<UnitPlan>;
  /** Does exactly what the saved plan of `spec.plan` says. */
  apply(attempt: Attempt): Promise<EngineState>;
  /** Does exactly what a saved plan made with `spec.destroy` says. */
  destroy(attempt: Attempt): Promise<EngineState>;
  /** What was changed outside since the last apply; the desired state is not looked at. */
  detectDrift(attempt: Attempt): Promise<readonly ResourceChange[]>;
  /** Keeps what `restore` needs, and answers its id. */
  snapshot(attempt: Attempt): Promise<string>;
  /** Brings back the snapshot that `spec.plan.artefact` names. */
  restore(attempt: Attempt): Promise<string>;
  /** The outputs that are there now, in clear: the host keeps them and passes on references to sensitive ones. */
  outputs(attempt: Attempt): Promise<EngineState>;

  /** The engine's own state that a dead attempt left in its scratch directory because it could not be stored. */
  findLeftState?(scratch: string): Promise<Uint8Array | undefined>;
}

export interface EngineCapabilities {
  /** Can plan with inputs that are not known yet. */
  readonly provisionalPlans: boolean;
  /** `snapshot` and `restore` work. */
  readonly snapshots: boolean;
  /** Keeps a state of its own, which the control plane stores. */
  readonly keepsState: boolean;
}

/** The engine's state after a verb: where it is, and the outputs in clear. */
export interface EngineState {
  readonly serial: number;
  readonly lineage: string;
  readonly outputs: readonly EngineOutput[];
}

export interface EngineOutput {
  readonly name: string;
  readonly sensitive: boolean;
  /** The value as JSON text, with the digits the engine printed. */
  readonly json: string;
  /** The engine's type expression as JSON text; empty when it has none. */
  readonly type: string;
}
