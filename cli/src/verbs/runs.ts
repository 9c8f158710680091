import type { Run } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { followRun } from "../follow-run.ts";
import { runLine, showRun } from "../format/run-text.ts";
import { inSession } from "../in-session.ts";
import type { CommonOptions, Surroundings } from "../surroundings.ts";
import { printJson } from "../terminal.ts";
import { failureOf } from "./plan.ts";

export interface RunsOptions extends CommonOptions {
  readonly env?: string;
  readonly active?: boolean;
  readonly limit?: string;
}

/** Runs, newest first. */
export async function runs(surroundings: Surroundings, options: RunsOptions): Promise<ExitCode> {
  return inSession(surroundings, options, async (session) => {
    const page = { size: Number(options.limit ?? 20), token: "" };
    const answer = await session.api.listRuns(
      { environment: options.env ?? "", active: options.active === true, page },
      session.call,
    );
    if (options.output === "json") printJson(surroundings.terminal, { runs: answer.runs.map(showRun) });
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
    if (options.output === "json") printJson(surroundings.terminal, showRun(run));
    else surroundings.terminal.out(`${runLine(run)}\n`);
    if (run.status === "failed" || run.status === "canceled") throw failureOf(run);
    return run.endedAt === "" ? EXIT.failed : EXIT.done;
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
  if (options.output === "json") printJson(terminal, showRun(run));
  else terminal.out(`${runLine(run)}\n`);
  return EXIT.done;
}

/** Why a unit runs, waits or was refused, newest first. */
export async function why(surroundings: Surroundings, unit: string, options: CommonOptions): Promise<ExitCode> {
  return inSession(surroundings, options, async (session) => {
    const { reasons } = await session.api.why({ unit }, session.call);
    const shown = reasons.map(({ at, text, run }) => ({ at, run, text }));
    if (options.output === "json") printJson(surroundings.terminal, { unit, reasons: shown });
    else
      surroundings.terminal.out(
        shown.length === 0
          ? `Nothing has happened to ${unit} yet.\n`
          : `${shown.map(({ at, run, text }) => `${at}  ${run}  ${text}`).join("\n")}\n`,
      );
    return EXIT.done;
  });
}

export interface UnlockOptions extends CommonOptions {
  readonly message?: string;
  readonly engine?: boolean;
}

/** Without a name lists the locks; with a unit address or environment takes its lock away; `--engine` breaks the engine's own. */
export async function unlock(
  surroundings: Surroundings,
  name: string | undefined,
  options: UnlockOptions,
): Promise<ExitCode> {
  return inSession(surroundings, options, async (session) => {
    const { terminal } = surroundings;
    if (name === undefined) {
      const { locks } = await session.api.listLocks({}, session.call);
      const shown = locks.map(({ kind, name: of, run, since, reason }) => ({ kind, name: of, run, since, reason }));
      if (options.output === "json") printJson(terminal, { locks: shown });
      else
        terminal.out(
          shown.length === 0
            ? "No locks.\n"
            : `${shown.map((lock) => `${lock.kind.padEnd(4)}  ${lock.name}  ${lock.run}  ${lock.since}  ${lock.reason}`).join("\n")}\n`,
        );
      return EXIT.done;
    }
    if (options.engine === true) {
      const { brokenLockInfo } = await session.api.forceUnlock({ unit: name }, session.call);
      if (options.output === "json")
        printJson(terminal, {
          unit: name,
          broken: brokenLockInfo === "" ? null : (JSON.parse(brokenLockInfo) as unknown),
        });
      else
        terminal.out(
          brokenLockInfo === ""
            ? `The state of ${name} was not locked.\n`
            : `Broke the engine's lock on ${name}: ${brokenLockInfo}\n`,
        );
      return EXIT.done;
    }
    const { released } = await session.api.unlock(
      { kind: name.includes("/") ? "unit" : "tier", name, reason: options.message ?? "" },
      session.call,
    );
    const shown = released.map(({ kind, name: of, run }) => ({ kind, name: of, run }));
    if (options.output === "json") printJson(terminal, { released: shown });
    else
      terminal.out(`${shown.map((lock) => `Released the ${lock.kind} lock ${lock.name} of ${lock.run}`).join("\n")}\n`);
    return EXIT.done;
  });
}
