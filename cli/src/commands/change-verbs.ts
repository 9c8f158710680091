import { type Command, Option } from "commander";
import { type Choose, many, output, server } from "./verb-options.ts";

/** A change from its plan to its apply. */
export function defineChangeVerbs(program: Command, choose: Choose): void {
  program
    .command("plan")
    .description("make a ChangeSet of what a commit changes")
    .option("--env <name>", "environment (default: the only one)")
    .addOption(new Option("--all-envs", "every environment the commit declares").conflicts(["env", "only", "replace"]))
    .option("--base <rev>", "where counting authors begins")
    .option("--head <rev>", "the commit to plan (default HEAD)")
    .option("--only <address>", "only this unit; repeatable", many, [])
    .option("--replace <address>", "replace this unit, or <unit>#<resource>; repeatable", many, [])
    .option("--destroy", "plan the removal of everything selected")
    .option("--dirty", "plan the work tree; can never be applied")
    .addOption(output("markdown"))
    .addOption(server())
    .action((options) => choose(options, async (given) => (await import("../verbs/plan.ts")).plan(given, options)));
  program
    .command("drift")
    .description("compare what was applied with the world")
    .option("--env <name>", "environment (default: the only one)")
    .option("--only <address>", "only this unit; repeatable", many, [])
    .addOption(output("markdown"))
    .addOption(server())
    .action((options) => choose(options, async (given) => (await import("../verbs/plan.ts")).drift(given, options)));
  program
    .command("show [id]")
    .description("a ChangeSet or run again (default: your newest ChangeSet)")
    .addOption(output("markdown"))
    .addOption(server())
    .action((id, options) =>
      choose(options, async (given) => (await import("../verbs/show.ts")).show(given, id, options)),
    );
  for (const decision of ["approve", "reject"] as const) {
    program
      .command(`${decision} <id>`)
      .description(`${decision} exactly the digest shown`)
      .option("--digest <digest>", "refuse when the ChangeSet has another digest")
      .option("-m, --message <text>", "comment for the record")
      .addOption(output())
      .addOption(server())
      .action((id, options) =>
        choose(options, async (given) => (await import("../verbs/vote.ts")).vote(given, decision, id, options)),
      );
  }
  program
    .command("apply [id]")
    .description("run a ChangeSet (default: your newest open one) and follow it")
    .option("--only <address>", "only this unit; repeatable", many, [])
    .option("--env <name>", "your newest ChangeSet of this environment")
    .option("--wait", "stay while it waits for people or a window")
    .addOption(output())
    .addOption(server())
    .action((id, options) =>
      choose(options, async (given) => (await import("../verbs/apply.ts")).apply(given, id, options)),
    );
}
