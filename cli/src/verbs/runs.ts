import type { Run } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { followRun } from "../follow-run.ts";
import { runLine } from "../format/run-text.ts";
import { inSession } from "../in-session.ts";
import { runOutputSchema, runsOutputSchema, showRun } from "../output/run-output.ts";
import type { CommonOptions, Surroundings } from "../surroundings.ts";
import { printJson } from "../terminal.ts";
import { failureOf } from "./plan.ts";

export interface RunsOptions extends CommonOptions {
  readonly env?: string;
  readonly active?: boolean;
  readonly limit: number;
}

/** Runs, newest first. */
export async function runs(surroundings: Surroundings, options: RunsOptions): Promise<ExitCode> {
  return inSession(surroundings, options, async (session) => {
    const page = { size: options.limit, token: "" };
    const answer = await session.api.listRuns(
      { environment: options.env ?? "", active: options.active === true, page },
      session.call,
    );
    if (options.output === "json")
      printJson(surroundings.terminal, runsOutputSchema, { runs: answer.runs.map(showRun) });
    else
      surroundings.terminal.out(answer.runs.length === 0 ? "No runs.\n" : `${answer.runs.map(runLine).join("\n")}\n`);
    return EXIT.done;
  });
}

/** Follows a run with its logs until it ends. */
export async function watch(surroundings: Surroundings, id: string, options: CommonOptions): Promise<ExitCode> {
  return inSession(surroundings, options, async (session) => {
    const run = await followRun(surroundings, session, id, {
      stopWhenWaiting: false,
      logs: true,
      quiet: options.output === "json",
    });
    if (options.output === "json") printJson(surroundings.terminal, runOutputSchema, showRun(run));
    else surroundings.terminal.out(`${runLine(run)}\n`);
    if (run.status === "failed" || run.status === "canceled") throw failureOf(run);
    return EXIT.done;
  });
}

/** Asks a run to stop and waits until it has. */
export async function cancel(
  surroundings: Surroundings,
  id: string,
  options: CommonOptions & { readonly message?: string },
): Promise<ExitCode> {
  return inSession(surroundings, options, async (session) => {
    await session.api.cancelRun({ id, reason: options.message ?? "" }, session.call);
    const run = await followRun(surroundings, session, id, {
      stopWhenWaiting: false,
      logs: false,
      quiet: options.output === "json",
    });
    return reportRun(surroundings, run, options);
  });
}

/** Takes a failed or canceled run up again and follows it. */
export async function retry(surroundings: Surroundings, id: string, options: CommonOptions): Promise<ExitCode> {
  return inSession(surroundings, options, async (session) => {
    await session.api.retryRun({ id }, session.call);
    const run = await followRun(surroundings, session, id, {
      stopWhenWaiting: true,
      logs: false,
      quiet: options.output === "json",
    });
    const code = reportRun(surroundings, run, options);
    if (run.status === "failed" || run.status === "canceled") throw failureOf(run);
    return run.status === "waiting" ? EXIT.waiting : code;
  });
}

function reportRun({ terminal }: Surroundings, run: Run, options: CommonOptions): ExitCode {
  if (options.output === "json") printJson(terminal, runOutputSchema, showRun(run));
  else terminal.out(`${runLine(run)}\n`);
  return EXIT.done;
}
