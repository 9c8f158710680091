import { EXIT, type ExitCode } from "../exit-code.ts";
import { printChangeSet } from "../format/print-change-set.ts";
import { runLine } from "../format/run-text.ts";
import { readChangeSet } from "../output/change-set-output.ts";
import { runOutputSchema, showRun } from "../output/run-output.ts";
import { openSession } from "../session.ts";
import type { CommonOptions, Surroundings } from "../surroundings.ts";
import { printJson } from "../terminal.ts";

/** A ChangeSet or a run again; without an id the caller's newest ChangeSet. */
export async function show(
  surroundings: Surroundings,
  id: string | undefined,
  options: CommonOptions,
): Promise<ExitCode> {
  const session = await openSession(surroundings, options);
  try {
    if (id?.startsWith("run_") === true) {
      const { run } = await session.api.getRun({ id }, session.call);
      if (run === undefined) return EXIT.failed;
      if (options.output === "json") printJson(surroundings.terminal, runOutputSchema, showRun(run));
      else
        surroundings.terminal.out(
          `${[runLine(run), ...run.steps.map((step) => `  ${step.status.padEnd(9)}  ${step.stage.padEnd(7)}  ${step.unit}${step.reason === "" ? "" : `  ${step.reason}`}`)].join("\n")}\n`,
        );
      return EXIT.done;
    }
    const { changeSet } = await session.api.getChangeSet({ id: id ?? "" }, session.call);
    if (changeSet === undefined) return EXIT.failed;
    printChangeSet(surroundings.terminal, readChangeSet(changeSet), options.output);
    return EXIT.done;
  } finally {
    session.close();
  }
}
