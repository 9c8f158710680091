import type { Command } from "commander";
import { type Choose, count, output, server } from "./verb-options.ts";

/** Engine states. */
export function defineStateVerbs(program: Command, choose: Choose): void {
  const state = program.command("state").description("engine states: list, show, pull, versions");
  state
    .command("list")
    .description("the states that are kept")
    .option("--env <name>", "of this environment")
    .addOption(output())
    .addOption(server())
    .action((options) =>
      choose(options, async (given) => (await import("../verbs/state.ts")).stateList(given, options)),
    );
  state
    .command("show <address>")
    .description("a unit's state without its content")
    .addOption(output())
    .addOption(server())
    .action((unit, options) =>
      choose(options, async (given) => (await import("../verbs/state.ts")).stateShow(given, unit, options)),
    );
  state
    .command("versions <address>")
    .description("every version of a unit's state")
    .addOption(output())
    .addOption(server())
    .action((unit, options) =>
      choose(options, async (given) => (await import("../verbs/state.ts")).stateVersions(given, unit, options)),
    );
  state
    .command("pull <address>")
    .description("print the engine's state, decrypted, unchanged")
    .option("--version <n>", "this version (0: the current one)", count, 0)
    .addOption(output())
    .addOption(server())
    .action((unit, options) =>
      choose(options, async (given) => (await import("../verbs/state.ts")).statePull(given, unit, options)),
    );
}
