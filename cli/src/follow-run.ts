import { CodedError } from "@xcloudflow/model/coded-error";
import type { Run } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { createProgressView } from "./format/progress-view.ts";
import type { Session } from "./session.ts";
import type { Surroundings } from "./surroundings.ts";

export interface FollowOptions {
  /** Come back when the run waits for people, a window or a lock. */
  readonly stopWhenWaiting: boolean;
  readonly logs: boolean;
  /** No progress at all: the result is JSON for a program. */
  readonly quiet: boolean;
}

/** Thrown when somebody stops following a run that has not ended: it goes on. */
export class RunLeftError extends CodedError {
  constructor(run: string) {
    super("RUN_LEFT", "canceled", {
      where: run,
      what: "the run goes on without you",
      hint: `\`xcf watch ${run}\` follows it, \`xcf cancel ${run}\` stops it`,
    });
  }
}

/**
 * Shows a run as it goes on and answers it as it was last seen: ended, or waiting.
 *
 * @throws {RunLeftError} after Ctrl-C or SIGTERM.
 */
export async function followRun(
  surroundings: Surroundings,
  session: Session,
  id: string,
  options: FollowOptions,
): Promise<Run> {
  const view = createProgressView(surroundings.terminal, options.quiet);
  const leave = new AbortController();
  const signal = AbortSignal.any([leave.signal, surroundings.interrupted]);
  let last: Run | undefined;
  try {
    for await (const { update } of session.api.watchRun(
      { id, afterSequence: 0n, logs: options.logs },
      { ...session.call, signal },
    )) {
      if (update.case === "run") {
        last = update.value;
        view.run(last);
        if (last.endedAt !== "" || (options.stopWhenWaiting && last.status === "waiting")) break;
      } else if (update.case === "step") view.step(update.value);
      else if (update.case === "progress") view.progress(update.value);
      else if (update.case === "log") view.log(update.value);
    }
  } catch (error) {
    if (!surroundings.interrupted.aborted) throw error;
  } finally {
    view.end();
    leave.abort();
  }
  const { run = last } = await session.api.getRun({ id }, session.call);
  if (run === undefined || (run.endedAt === "" && surroundings.interrupted.aborted)) throw new RunLeftError(id);
  return run;
}
