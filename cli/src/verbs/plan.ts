import { RemoteError } from "@xcloudflow/model/remote-error";
import type { Run } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { followRun } from "../follow-run.ts";
import { printChangeSet } from "../format/print-change-set.ts";
import { emptyPlanOutputSchema, readChangeSet, type ShownChangeSet } from "../output/change-set-output.ts";
import { errorCategorySchema } from "../output/error-output.ts";
import { resolveCommit } from "../repository-cli.ts";
import { openSession, type Session } from "../session.ts";
import type { CommonOptions, Surroundings } from "../surroundings.ts";
import { printJson } from "../terminal.ts";

export interface PlanOptions extends CommonOptions {
  readonly env?: string;
  readonly allEnvs?: boolean;
  readonly base?: string;
  readonly head?: string;
  readonly only?: readonly string[];
  readonly replace?: readonly string[];
  readonly destroy?: boolean;
  readonly dirty?: boolean;
}

/** What a plan came to: a ChangeSet, or nothing to change. */
export interface Planned {
  readonly run: Run;
  readonly changeSet: ShownChangeSet | undefined;
}

/** Makes a ChangeSet and prints it. 0: nothing to change; 2: changes; 4: denied by policy. */
export async function plan(surroundings: Surroundings, options: PlanOptions): Promise<ExitCode> {
  if (options.allEnvs === true) return (await import("./plan-all.ts")).planAll(surroundings, options);
  return planOne(surroundings, "plan", options);
}

/** Compares what was applied with the world; what would correct it becomes a ChangeSet. 0: nothing has drifted. */
export async function drift(surroundings: Surroundings, options: PlanOptions): Promise<ExitCode> {
  return planOne(surroundings, "drift", options);
}

async function planOne(surroundings: Surroundings, kind: "plan" | "drift", options: PlanOptions): Promise<ExitCode> {
  const session = await openSession(surroundings, options);
  try {
    const planned = await runPlan(surroundings, session, kind, options);
    printPlanned(surroundings, planned, options.output);
    return planExitCode(planned.changeSet);
  } finally {
    session.close();
  }
}

/**
 * Plans one environment and follows it to its end.
 *
 * @throws {RemoteError} when it fails.
 */
export async function runPlan(
  surroundings: Surroundings,
  session: Session,
  kind: "plan" | "drift",
  options: PlanOptions,
): Promise<Planned> {
  const head = await resolveCommit(surroundings.directory, options.head ?? "HEAD");
  const base = options.base === undefined ? "" : await resolveCommit(surroundings.directory, options.base);
  const { run: started } = await session.api.startRun(
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
  const run = await followRun(surroundings, session, started?.id ?? "", { stopWhenWaiting: false, logs: false, quiet });
  if (run.status !== "succeeded") throw failureOf(run);
  if (run.changeSet === "") return { run, changeSet: undefined };
  const { changeSet } = await session.api.getChangeSet({ id: run.changeSet }, session.call);
  return { run, changeSet: changeSet === undefined ? undefined : readChangeSet(changeSet) };
}

function printPlanned({ terminal }: Surroundings, { run, changeSet }: Planned, output: string | undefined): void {
  if (changeSet !== undefined) printChangeSet(terminal, changeSet, output);
  else if (output === "json") printJson(terminal, emptyPlanOutputSchema, showEmptyPlan(run));
  else terminal.out(run.kind === "drift" ? "Nothing has drifted.\n" : "Nothing to change.\n");
}

export function showEmptyPlan(run: Run) {
  return { run: run.id, environment: run.environment, units: [] };
}

export function planExitCode(changeSet: ShownChangeSet | undefined): ExitCode {
  if (changeSet === undefined) return EXIT.done;
  if (changeSet.phase === "denied") return EXIT.denied;
  // A unit that only gets another address still has to be applied.
  return changeSet.units.some((unit) => unit.status !== "unchanged" || unit.movedFrom !== undefined)
    ? EXIT.changes
    : EXIT.done;
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
  const category = errorCategorySchema.safeParse(failure.category);
  return new RemoteError(failure.code, category.data ?? "internal", {
    where: failure.where === "" ? run.id : failure.where,
    what: failure.what,
    ...(failure.hint === "" ? {} : { hint: failure.hint }),
  });
}
