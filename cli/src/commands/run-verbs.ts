import type { Command } from "commander";
import { type Choose, count, output, server } from "./verb-options.ts";

/** Runs, locks and why. */
export function defineRunVerbs(program: Command, choose: Choose): void {
  program
    .command("runs")
    .description("list runs, newest first")
    .option("--env <name>", "of this environment")
    .option("--active", "only those that have not ended")
    .option("--limit <n>", "at most this many", count, 20)
    .addOption(output())
    .addOption(server())
    .action((options) => choose(options, async (given) => (await import("../verbs/runs.ts")).runs(given, options)));
  program
    .command("watch <run>")
    .description("follow a run with its logs")
    .addOption(output())
    .addOption(server())
    .action((id, options) =>
      choose(options, async (given) => (await import("../verbs/runs.ts")).watch(given, id, options)),
    );
  program
    .command("cancel <run>")
    .description("stop a run cleanly")
    .option("-m, --message <text>", "why, for the record")
    .addOption(output())
    .addOption(server())
    .action((id, options) =>
      choose(options, async (given) => (await import("../verbs/runs.ts")).cancel(given, id, options)),
    );
  program
    .command("retry <run>")
    .description("take a failed or canceled run up again")
    .addOption(output())
    .addOption(server())
    .action((id, options) =>
      choose(options, async (given) => (await import("../verbs/runs.ts")).retry(given, id, options)),
    );
  program
    .command("unlock [name]")
    .description("list locks, or take one away from a run that has ended")
    .option("--engine", "break the engine's own lock on a unit's state")
    .option("-m, --message <text>", "why, for the record")
    .addOption(output())
    .addOption(server())
    .action((name, options) =>
      choose(options, async (given) => (await import("../verbs/unlock.ts")).unlock(given, name, options)),
    );
  program
    .command("why <address>")
    .description("why a unit runs, waits or was refused")
    .addOption(output())
    .addOption(server())
    .action((unit, options) =>
      choose(options, async (given) => (await import("../verbs/why.ts")).why(given, unit, options)),
    );
}
