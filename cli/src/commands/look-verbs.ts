import { Argument, type Command } from "commander";
import { type Choose, output, server } from "./verb-options.ts";

/** Verbs that look at files and the machine, and need no database. */
export function defineLookVerbs(program: Command, choose: Choose): void {
  program
    .command("init [dir]")
    .description("make a monorepo that plans and applies as it stands")
    .addOption(output())
    .action((dir, options) =>
      choose(options, async (given) => (await import("../verbs/init.ts")).init(given, dir, options)),
    );
  program
    .command("doctor")
    .description("which engines are found, and how to get the rest")
    .addOption(output())
    .action((options) => choose(options, async (given) => (await import("../verbs/doctor.ts")).doctor(given, options)));
  program
    .command("completion")
    .addArgument(new Argument("<shell>", "for which shell").choices(["bash", "zsh", "fish"] as const))
    .description("a completion script for bash, zsh or fish")
    .action((shell) =>
      choose({}, async (given) => (await import("../verbs/completion.ts")).completion(given, shell, program)),
    );
  program
    .command("validate")
    .description("all errors of the work tree's files at once")
    .addOption(output("sarif"))
    .action((options) =>
      choose(options, async (given) => (await import("../verbs/validate.ts")).validate(given, options)),
    );
  program
    .command("graph")
    .description("the units and what they depend on, in waves")
    .option("--env <name>", "only this environment")
    .option("--affected", "only what a commit changes (asks the control plane)")
    .option("--head <rev>", "with --affected: the commit (default HEAD)")
    .option("--base <rev>", "with --affected: where counting authors begins")
    .addOption(output("mermaid"))
    .addOption(server())
    .action((options) => choose(options, async (given) => (await import("../verbs/graph.ts")).graph(given, options)));
  program
    .command("explain <ref>")
    .description("how a unit, composition or module is planned, gated, run and watched, and what decided it")
    .option("--env <name>", "only in this environment")
    .addOption(output())
    .action((ref, options) =>
      choose(options, async (given) => (await import("../verbs/explain.ts")).explain(given, ref, options)),
    );
}
