import { Command, CommanderError } from "commander";
import { defineAuditVerbs } from "./commands/audit-verbs.ts";
import { defineChangeVerbs } from "./commands/change-verbs.ts";
import { defineLookVerbs } from "./commands/look-verbs.ts";
import { definePolicyVerbs } from "./commands/policy-verbs.ts";
import { defineRunVerbs } from "./commands/run-verbs.ts";
import { defineServerVerbs } from "./commands/server-verbs.ts";
import { defineStateVerbs } from "./commands/state-verbs.ts";
import { defineTokenVerbs } from "./commands/token-verbs.ts";
import type { Action, Choose } from "./commands/verb-options.ts";
import { EXIT, type ExitCode, exitCodeOf } from "./exit-code.ts";
import { printError } from "./print-error.ts";
import type { Surroundings } from "./surroundings.ts";
import { UsageInvalidError } from "./usage-errors.ts";
import { traceVerb } from "./verb-tracing.ts";

/**
 * Understands the words, does what the verb says, and turns whatever happens into an exit code. Each verb's code is
 * loaded when it is called, so that `xcf --help` and read-only verbs do not pay for the rest.
 */
export async function runProgram(surroundings: Surroundings, words: readonly string[]): Promise<ExitCode> {
  const { terminal } = surroundings;
  let json = wantsJson(words);
  let action: Action | undefined;
  const program = defineProgram(surroundings, (options, chosen) => {
    json = options.output === "json";
    action = chosen;
  });
  try {
    let verb = "";
    program.hook("preAction", (_program, command) => {
      verb = verbOf(command);
    });
    await program.parseAsync([...words], { from: "user" });
    return action === undefined ? EXIT.done : await traceVerb(surroundings, verb, action);
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done;
    const told = error instanceof CommanderError ? new UsageInvalidError(error, words) : error;
    printError(terminal, told, json);
    return exitCodeOf(told);
  }
}

export function defineProgram(surroundings: Surroundings, choose: Choose): Command {
  const { terminal } = surroundings;
  const program = new Command("xcf")
    .description("One ChangeSet across all your engines: planned, policed, approved, run in order, provable.")
    .version(surroundings.version)
    .exitOverride()
    // What is wrong with the words is printed as every other error is.
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: (text) => terminal.err(text),
      outputError: () => undefined,
    });
  defineLookVerbs(program, choose);
  defineChangeVerbs(program, choose);
  defineRunVerbs(program, choose);
  defineStateVerbs(program, choose);
  defineTokenVerbs(program, choose);
  defineAuditVerbs(program, choose);
  definePolicyVerbs(program, choose);
  defineServerVerbs(program, choose);
  return program;
}

/** `plan`, `state list`. */
function verbOf(command: Command): string {
  const above = command.parent;
  return above === null || above.parent === null ? command.name() : `${verbOf(above)} ${command.name()}`;
}

/** Words that are not understood still say in which form their error is wanted. */
function wantsJson(words: readonly string[]): boolean {
  return words.some(
    (word, index) =>
      word === "-ojson" ||
      word === "--output=json" ||
      (word === "json" && /^(-o|--output)$/.test(words[index - 1] ?? "")),
  );
}
