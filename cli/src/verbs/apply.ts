import { EXIT, type ExitCode } from "../exit-code.ts";
import { followRun } from "../follow-run.ts";
import { runOutputSchema, showRun } from "../output/run-output.ts";
import { resolveCommit } from "../repository-cli.ts";
import { openSession } from "../session.ts";
import type { CommonOptions, Surroundings } from "../surroundings.ts";
import { printJson } from "../terminal.ts";
import { failureOf } from "./plan.ts";

export interface ApplyOptions extends CommonOptions {
  readonly only?: readonly string[];
  readonly wait?: boolean;
  readonly env?: string;
}

/** Starts or joins the run of a ChangeSet and follows it. 3: it waits for people, a window or a lock. */
export async function apply(
  surroundings: Surroundings,
  id: string | undefined,
  options: ApplyOptions,
): Promise<ExitCode> {
  const session = await openSession(surroundings, options);
  const json = options.output === "json";
  try {
    const head = await resolveCommit(surroundings.directory, "HEAD");
    const { run: started } = await session.api.startRun(
      {
        kind: "apply",
        changeSet: id ?? "",
        repository: session.repository,
        environment: options.env ?? "",
        head,
        onlyUnits: [...(options.only ?? [])],
      },
      session.call,
    );
    const run = await followRun(surroundings, session, started?.id ?? "", {
      stopWhenWaiting: options.wait !== true,
      logs: false,
      quiet: json,
    });
    if (json) printJson(surroundings.terminal, runOutputSchema, showRun(run));
    if (run.status === "waiting") {
      if (!json) surroundings.terminal.out(`Run ${run.id} waits: ${run.waitingFor}\n`);
      return EXIT.waiting;
    }
    if (run.status !== "succeeded") throw failureOf(run);
    if (!json) surroundings.terminal.out(`Applied ${run.changeSet} to ${run.environment} (${run.id}).\n`);
    return EXIT.done;
  } finally {
    session.close();
  }
}
