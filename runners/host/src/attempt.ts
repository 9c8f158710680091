import type { InputValue } from "@xcloudflow/model/input-value";
import type { JsonValue } from "@xcloudflow/model/json-value";
import type { SecretText } from "@xcloudflow/model/secret-text";
import type { TaskSpec } from "@xcloudflow/model/task-spec";
import type { UnitOutput } from "@xcloudflow/model/unit-plan";
import type { EngineOutput } from "./engine.ts";
import type { EngineCommand, EngineExit } from "./engine-process-cli.ts";
import type { ValueRedactor } from "./value-redactor.ts";

export type LogStream = "stdout" | "stderr" | "host";

/** Everything one attempt at one task may use. Ends with the attempt. */
export interface Attempt {
  readonly spec: TaskSpec;
  /** From 1 on; the fence as well. */
  readonly number: number;
  /** Private, mode 0700, the same for plan and apply of a unit, gone when the attempt ends. */
  readonly scratch: string;
  /** Aborted when the attempt is to end: by cancel, timeout, or because its lease is lost. */
  readonly signal: AbortSignal;
  /** Where the control plane keeps the engine's state for this unit. */
  readonly stateBackend: StateBackend;
  readonly artefacts: Artefacts;

  /** One line of the engine's words; known secrets and control characters are taken out here. */
  log(stream: LogStream, text: string): void;
  progress(resource: string, action: ProgressAction, message?: string): void;
  /** Unpacks the module's archive into scratch, once, and answers the folder that the archive's root became. */
  unpackModule(): Promise<string>;
  /** Inputs and credentials with every reference opened; asks for them once, then the door is closed. */
  resolve(): Promise<ResolvedReferences>;
  /** Puts HMACs in the place of sensitive values, and of known secrets wherever they turn up. */
  redactor(): Promise<ValueRedactor>;
  /** Takes known secrets out of a text that a person will read. */
  redactText(text: string): string;
  /** Keeps outputs, sensitive ones encrypted, and answers what may travel. */
  keepOutputs(outputs: readonly EngineOutput[]): Promise<Record<string, UnitOutput>>;
  /** Runs one process of the engine to its end. */
  run(command: EngineCommand): Promise<EngineExit>;
}

export type ProgressAction = "planning" | "refreshing" | "creating" | "updating" | "deleting" | "done" | "errored";

export interface StateBackend {
  readonly address: string;
  readonly username: string;
  readonly password: SecretText;
}

export interface Artefacts {
  /** @throws {ArtefactDamagedError} when what came is not what the id says. */
  get(id: string): Promise<Uint8Array>;
  /** Answers the id, `sha256:…` over the bytes. */
  put(kind: "plan" | "backup" | "log", bytes: Uint8Array): Promise<string>;
}

export interface ResolvedReferences {
  readonly inputs: ReadonlyMap<string, ResolvedInput>;
  /** Environment variables for the engine. */
  readonly credentials: ReadonlyMap<string, SecretText>;
}

/**
 * An input as an engine may use it. `plain`: may be seen. `secret`: JSON text that holds a secret or another unit's
 * sensitive output. `unknown`: a tree in which `UnknownNode`s stand for what exists only later; secrets are unknown in
 * it too, so that a tree can be written down.
 */
export type ResolvedInput =
  | { readonly kind: "plain"; readonly value: JsonValue }
  | { readonly kind: "secret"; readonly json: SecretText }
  | { readonly kind: "unknown"; readonly tree: InputValue; readonly sensitive: boolean };
