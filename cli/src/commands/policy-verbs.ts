import type { Command } from "commander";
import { type Choose, many, output } from "./verb-options.ts";

/** Policies without a control plane. */
export function definePolicyVerbs(program: Command, choose: Choose): void {
  const policy = program.command("policy").description("policies: eval");
  policy
    .command("eval <files...>")
    .description("evaluate files as conftest would, with its JSON")
    .option("-p, --policy <dir>", "folder of policies (default policies)")
    .option("-n, --namespace <name>", "namespace to ask; repeatable", many, [])
    .option("--all-namespaces", "ask every namespace")
    .option("-d, --data <path>", "data files or folders; repeatable", many, [])
    .option("--combine", "all files as one input")
    .addOption(output())
    .action((files, options) =>
      choose(options, async (given) => (await import("../verbs/policy-eval.ts")).policyEval(given, files, options)),
    );
}
