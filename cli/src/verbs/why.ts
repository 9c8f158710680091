import { EXIT, type ExitCode } from "../exit-code.ts";
import { inSession } from "../in-session.ts";
import { whyOutputSchema } from "../output/why-output.ts";
import type { CommonOptions, Surroundings } from "../surroundings.ts";
import { printJson } from "../terminal.ts";

/** Why a unit runs, waits or was refused, newest first. */
export async function why(surroundings: Surroundings, unit: string, options: CommonOptions): Promise<ExitCode> {
  return inSession(surroundings, options, async (session) => {
    const { reasons } = await session.api.why({ unit }, session.call);
    const shown = reasons.map(({ at, text, run }) => ({ at, run, text }));
    if (options.output === "json") printJson(surroundings.terminal, whyOutputSchema, { unit, reasons: shown });
    else
      surroundings.terminal.out(
        shown.length === 0
          ? `Nothing has happened to ${unit} yet.\n`
          : `${shown.map(({ at, run, text }) => `${at}  ${run}  ${text}`).join("\n")}\n`,
      );
    return EXIT.done;
  });
}
