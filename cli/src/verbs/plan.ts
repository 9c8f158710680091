import { RemoteError } from "@xcloudflow/model/remote-error";
import type { Run } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { readChangeSet, type ShownChangeSet } from "../change-set-document.ts";
import { EXIT, type ExitCode, exitCodeOfCategory } from "../exit-code.ts";
import { followRun } from "../follow-run.ts";
import { printChangeSet } from "../format/print-change-set.ts";
import { resolveCommit } from "../repository-cli.ts";
import { openSession, type Session } from "../session.ts";
import type { CommonOptions, Surroundings } from "../surroundings.ts";
import { printJson } from "../terminal.ts";

export interface PlanOptions extends CommonOptions {
  readonly env?: string;
  readonly base?: string;
  readonly head?: string;
  readonly only?: readonly string[];
  readonly replace?: readonly string[];
  readonly destroy?: boolean;
  readonly dirty?: boolean;
}

/** Makes a ChangeSet and prints it. 0: nothing to change; 2: changes; 4: denied by policy. */
export async function plan(surroundings: Surroundings, options: PlanOptions): Promise<ExitCode> {
  return planRun(surroundings, "plan", options);
}

/** Compares what was applied with the world; what would correct it becomes a ChangeSet. 0: nothing has drifted. */
export async function drift(surroundings: Surroundings, options: PlanOptions): Promise<ExitCode> {
  return planRun(surroundings, "drift", options);
}

async function planRun(surroundings: Surroundings, kind: "plan" | "drift", options: PlanOptions): Promise<ExitCode> {
  const session = await openSession(surroundings, options);
  try {
    const head = await resolveCommit(session.repository, options.head ?? "HEAD");
    const base = options.base === undefined ? "" : await resolveCommit(session.repository, options.base);
    const { run } = await session.api.startRun(
      {
        kind,
        repository: session.repository,
        environment: options.env ?? "",
        head,
        base,
        dirty: options.dirty === true,
        only: [...(options.only ?? [])],
        replace: [...(options.replace ?? [])],
        destroy: options.destroy === true,
      },
      session.call,
    );
    const quiet = options.output !== undefined && options.output !== "text";
    const ended = await followRun(surroundings, session, run?.id ?? "", { stopWhenWaiting: false, logs: false, quiet });
    return await printOutcome(surroundings, session, ended, options);
  } finally {
    session.close();
  }
}

async function printOutcome(
  { terminal }: Surroundings,
  session: Session,
  run: Run,
  options: PlanOptions,
): Promise<ExitCode> {
  if (run.endedAt === "") return EXIT.failed;
  if (run.status !== "succeeded") throw failureOf(run);
  if (run.changeSet === "") {
    if (options.output === "json") printJson(terminal, { run: run.id, units: [] });
    else terminal.out(run.kind === "drift" ? "Nothing has drifted.\n" : "Nothing to change.\n");
    return EXIT.done;
  }
  const { changeSet: view } = await session.api.getChangeSet({ id: run.changeSet }, session.call);
  if (view === undefined) return EXIT.failed;
  const changeSet = readChangeSet(view);
  printChangeSet(terminal, changeSet, options.output);
  return planExitCode(changeSet);
}

export function planExitCode(changeSet: ShownChangeSet): ExitCode {
  if (changeSet.phase === "denied") return EXIT.denied;
  return changeSet.units.some((unit) => unit.status !== "unchanged") ? EXIT.changes : EXIT.done;
}

/** A run's failure as the error a verb ends with. */
export function failureOf(run: Run): RemoteError {
  const { failure } = run;
  if (failure === undefined)
    return new RemoteError("RUN_NOT_SUCCEEDED", "internal", {
      where: run.id,
      what: `the run was ${run.status}`,
      hint: `\`xcf watch ${run.id}\` shows it`,
    });
  const category = exitCodeOfCategory(failure.category);
  return new RemoteError(failure.code, CATEGORY_OF_EXIT[category], {
    where: failure.where === "" ? run.id : failure.where,
    what: failure.what,
    ...(failure.hint === "" ? {} : { hint: failure.hint }),
  });
}

const CATEGORY_OF_EXIT = {
  0: "internal",
  1: "internal",
  2: "internal",
  3: "waiting",
  4: "denied",
  5: "invalid",
  6: "stale",
} as const;
