import { CodedError } from "@xcloudflow/model/coded-error";

/**
 * How an engine is kept apart from the worker that runs it and from other attempts. `none`: it is the worker's own user.
 * `user`: it has a user of its own, and is killed with everything it left behind. `network`: it also has a network of
 * its own, with ways out to the state backend and to a list of places only.
 */
export const ISOLATION_LEVELS = ["none", "user", "network"] as const;
export type IsolationLevel = (typeof ISOLATION_LEVELS)[number];

/** Who runs a command: the engine, which runs what authors wrote, or the installer, which fetches and fills caches. */
export type EngineActor = "engine" | "installer";

/** One way to keep engines apart. A worker without one runs them as itself. */
export interface EngineIsolation {
  /** Sets an attempt apart, before anything of it has run. */
  confine(scratch: string): Promise<ConfinedAttempt>;
  /** Ends what an attempt of a dead worker left running, whatever group it has put itself into. */
  endLeftover(scratch: string): Promise<void>;
}

/** What stands between one attempt's processes and everything else. */
export interface ConfinedAttempt {
  /** In place of the worker's own. */
  environment(actor: EngineActor): Readonly<Record<string, string>>;
  /** The command that starts `file` confined. Lets the actor have what the host has written into scratch since. */
  wrap(file: string, args: readonly string[], actor: EngineActor): { readonly file: string; readonly args: string[] };
  /** Kills everything of the engine's at once; what it takes to be sure is in `settle`. */
  kill(): void;
  /** Resolves when nothing of the engine's runs any more and scratch holds nothing that leads the host astray. */
  settle(): Promise<void>;
  /** Settles, and takes scratch back for the worker alone. */
  release(): Promise<void>;
}

/** Thrown when a worker is to keep engines apart and the machine does not let it. Nothing weaker is done instead. */
export class IsolationUnavailableError extends CodedError {
  constructor(what: string, hint: string, cause?: unknown) {
    super("ISOLATION_UNAVAILABLE", "invalid", { where: "XCF_ISOLATION", what, hint, cause });
  }
}

/** Thrown when every user that engines may have is in use, or something of an earlier attempt cannot be ended. */
export class IsolationExhaustedError extends CodedError {
  constructor(what: string) {
    super("ISOLATION_EXHAUSTED", "unavailable", {
      what,
      hint: "look for processes and scratch folders of users from XCF_ISOLATION_FIRST_UID on; another worker takes the task",
    });
  }
}
