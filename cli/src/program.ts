import { Command, CommanderError, Option } from "commander";
import { EXIT, type ExitCode, exitCodeOf } from "./exit-code.ts";
import { printError } from "./print-error.ts";
import type { Surroundings } from "./surroundings.ts";

type Action = (surroundings: Surroundings) => Promise<ExitCode>;

/**
 * The verbs and their options. Each verb's code is loaded when it is called, so that `xcf --help` and read-only verbs do
 * not pay for the rest.
 */
export async function runProgram(surroundings: Surroundings, words: readonly string[]): Promise<ExitCode> {
  let action: Action | undefined;
  let json = false;
  const choose = (options: { readonly output?: string }, chosen: Action): void => {
    json = options.output === "json";
    action = chosen;
  };
  const program = defineProgram(surroundings, choose);
  try {
    await program.parseAsync([...words], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.invalid;
    throw error;
  }
  if (action === undefined) return EXIT.done;
  try {
    return await action(surroundings);
  } catch (error) {
    printError(surroundings.terminal, error, json);
    return exitCodeOf(error);
  }
}

type Choose = (options: { readonly output?: string }, action: Action) => void;

export function defineProgram(surroundings: Surroundings, choose: Choose): Command {
  const { terminal } = surroundings;
  const program = new Command("xcf")
    .description("One ChangeSet across all your engines: planned, policed, approved, run in order, provable.")
    .version(surroundings.version)
    .exitOverride()
    .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: (text) => terminal.err(text) })
    .showHelpAfterError("(`xcf --help` lists the verbs)");
  defineReadVerbs(program, choose);
  defineChangeVerbs(program, choose);
  defineRunVerbs(program, choose);
  defineRecordVerbs(program, choose);
  return program;
}

const output = (...choices: string[]): Option =>
  new Option("-o, --output <format>", "how to print the result").choices(["text", "json", ...choices]);
const server = (): Option => new Option("--server <url>", "a mesh instead of the embedded control plane (XCF_SERVER)");
const many = (value: string, before: string[]): string[] => [...before, value];

function defineReadVerbs(program: Command, choose: Choose): void {
  program
    .command("init [dir]")
    .description("make a monorepo that plans and applies as it stands")
    .addOption(output())
    .action((dir, options) =>
      choose(options, async (given) => (await import("./verbs/init.ts")).init(given, dir, options)),
    );
  program
    .command("doctor")
    .description("which engines are found, and how to get the rest")
    .addOption(output())
    .action((options) => choose(options, async (given) => (await import("./verbs/doctor.ts")).doctor(given, options)));
  program
    .command("completion <shell>")
    .description("a completion script for bash, zsh or fish")
    .action((shell) =>
      choose({}, async (given) => (await import("./verbs/completion.ts")).completion(given, shell, program)),
    );
  program
    .command("validate")
    .description("all errors of the work tree's files at once")
    .addOption(output("sarif"))
    .action((options) =>
      choose(options, async (given) => (await import("./verbs/validate.ts")).validate(given, options)),
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
    .action((options) => choose(options, async (given) => (await import("./verbs/graph.ts")).graph(given, options)));
  program
    .command("explain <ref>")
    .description("how a unit, composition or module is planned, gated, run and watched, and what decided it")
    .option("--env <name>", "only in this environment")
    .addOption(output())
    .action((ref, options) =>
      choose(options, async (given) => (await import("./verbs/explain.ts")).explain(given, ref, options)),
    );
}

function defineChangeVerbs(program: Command, choose: Choose): void {
  program
    .command("plan")
    .description("make a ChangeSet of what a commit changes")
    .option("--env <name>", "environment (default: the only one)")
    .option("--base <rev>", "where counting authors begins")
    .option("--head <rev>", "the commit to plan (default HEAD)")
    .option("--only <address>", "only this unit; repeatable", many, [])
    .option("--replace <address>", "replace this unit, or <unit>#<resource>; repeatable", many, [])
    .option("--destroy", "plan the removal of everything selected")
    .option("--dirty", "plan the work tree; can never be applied")
    .addOption(output("markdown"))
    .addOption(server())
    .action((options) => choose(options, async (given) => (await import("./verbs/plan.ts")).plan(given, options)));
  program
    .command("drift")
    .description("compare what was applied with the world")
    .option("--env <name>", "environment (default: the only one)")
    .option("--only <address>", "only this unit; repeatable", many, [])
    .addOption(output("markdown"))
    .addOption(server())
    .action((options) => choose(options, async (given) => (await import("./verbs/plan.ts")).drift(given, options)));
  program
    .command("show [id]")
    .description("a ChangeSet or run again (default: your newest ChangeSet)")
    .addOption(output("markdown"))
    .addOption(server())
    .action((id, options) =>
      choose(options, async (given) => (await import("./verbs/show.ts")).show(given, id, options)),
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
        choose(options, async (given) => (await import("./verbs/vote.ts")).vote(given, decision, id, options)),
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
      choose(options, async (given) => (await import("./verbs/apply.ts")).apply(given, id, options)),
    );
}

function defineRunVerbs(program: Command, choose: Choose): void {
  program
    .command("runs")
    .description("list runs, newest first")
    .option("--env <name>", "of this environment")
    .option("--active", "only those that have not ended")
    .option("--limit <n>", "at most this many (default 20)")
    .addOption(output())
    .addOption(server())
    .action((options) => choose(options, async (given) => (await import("./verbs/runs.ts")).runs(given, options)));
  program
    .command("watch <run>")
    .description("follow a run with its logs")
    .addOption(output())
    .addOption(server())
    .action((id, options) =>
      choose(options, async (given) => (await import("./verbs/runs.ts")).watch(given, id, options)),
    );
  program
    .command("cancel <run>")
    .description("stop a run cleanly")
    .option("-m, --message <text>", "why, for the record")
    .addOption(output())
    .addOption(server())
    .action((id, options) =>
      choose(options, async (given) => (await import("./verbs/runs.ts")).cancel(given, id, options)),
    );
  program
    .command("retry <run>")
    .description("take a failed or canceled run up again")
    .addOption(output())
    .addOption(server())
    .action((id, options) =>
      choose(options, async (given) => (await import("./verbs/runs.ts")).retry(given, id, options)),
    );
  program
    .command("unlock [name]")
    .description("list locks, or take one away from a run that has ended")
    .option("--engine", "break the engine's own lock on a unit's state")
    .option("-m, --message <text>", "why, for the record")
    .addOption(output())
    .addOption(server())
    .action((name, options) =>
      choose(options, async (given) => (await import("./verbs/runs.ts")).unlock(given, name, options)),
    );
  program
    .command("why <address>")
    .description("why a unit runs, waits or was refused")
    .addOption(output())
    .addOption(server())
    .action((unit, options) =>
      choose(options, async (given) => (await import("./verbs/runs.ts")).why(given, unit, options)),
    );
  program
    .command("up")
    .description("serve the embedded control plane: gRPC, Connect and the Terraform state backend")
    .option("--host <address>", "where to listen", "127.0.0.1")
    .option("--grpc-port <port>", "0 takes a free one", "0")
    .option("--http-port <port>", "0 takes a free one", "0")
    .addOption(output())
    .action((options) => choose(options, async (given) => (await import("./verbs/up.ts")).up(given, options)));
  program
    .command("initdb <folder>", { hidden: true })
    .description("make a new database's files")
    .action((folder) => choose({}, async (given) => (await import("./verbs/initdb.ts")).initdb(given, folder)));
  program
    .command("owner <folder>", { hidden: true })
    .description("serve a .xcf folder to this user's other xcf processes")
    .action((folder) => choose({}, async (given) => (await import("./verbs/owner.ts")).owner(given, folder)));
}

function defineRecordVerbs(program: Command, choose: Choose): void {
  const state = program.command("state").description("engine states: list, show, pull, versions");
  state
    .command("list")
    .description("the states that are kept")
    .option("--env <name>", "of this environment")
    .addOption(output())
    .addOption(server())
    .action((options) =>
      choose(options, async (given) => (await import("./verbs/state.ts")).stateList(given, options)),
    );
  state
    .command("show <address>")
    .description("a unit's state without its content")
    .addOption(output())
    .addOption(server())
    .action((unit, options) =>
      choose(options, async (given) => (await import("./verbs/state.ts")).stateShow(given, unit, options)),
    );
  state
    .command("versions <address>")
    .description("every version of a unit's state")
    .addOption(output())
    .addOption(server())
    .action((unit, options) =>
      choose(options, async (given) => (await import("./verbs/state.ts")).stateVersions(given, unit, options)),
    );
  state
    .command("pull <address>")
    .description("print the engine's state, decrypted, unchanged")
    .option("--version <n>", "this version (default: the current one)")
    .addOption(output())
    .addOption(server())
    .action((unit, options) =>
      choose(options, async (given) => (await import("./verbs/state.ts")).statePull(given, unit, options)),
    );
  const token = program.command("token").description("API tokens: create, list, revoke");
  token
    .command("create")
    .description("make a token and print it, once")
    .addOption(
      new Option("--role <role>", "what it may do")
        .choices(["viewer", "planner", "approver", "operator", "admin", "runner"])
        .makeOptionMandatory(),
    )
    .option("--user <subject>", "who it stands for (default: you)")
    .option("--group <group>", "a group of that person; repeatable", many, [])
    .option("--write-state", "may write engine state over HTTP (break-glass, audited)")
    .option("--expires <time>", "RFC 3339 (default: in ninety days)")
    .addOption(output())
    .addOption(server())
    .action((options) =>
      choose(options, async (given) => (await import("./verbs/token.ts")).tokenCreate(given, options)),
    );
  token
    .command("list")
    .description("the tokens there are")
    .addOption(output())
    .addOption(server())
    .action((options) =>
      choose(options, async (given) => (await import("./verbs/token.ts")).tokenList(given, options)),
    );
  token
    .command("revoke <id>")
    .description("end a token now")
    .addOption(output())
    .addOption(server())
    .action((id, options) =>
      choose(options, async (given) => (await import("./verbs/token.ts")).tokenRevoke(given, id, options)),
    );
  const audit = program.command("audit").description("the audit log: query, prove, export, verify");
  audit
    .command("query", { isDefault: true })
    .description("events, newest first")
    .option("--type <prefix>", "such as orchestrator.approval")
    .option("--subject <name>", "unit, ChangeSet or run")
    .option("--actor <name>", "who did it")
    .option("--since <time>", "RFC 3339, inclusive")
    .option("--until <time>", "RFC 3339, exclusive")
    .option("--limit <n>", "at most this many (default 50)")
    .addOption(output())
    .addOption(server())
    .action((options) =>
      choose(options, async (given) => (await import("./verbs/audit.ts")).auditQuery(given, options)),
    );
  audit
    .command("prove <event>")
    .description("that an event, by id or index, is in the log")
    .addOption(output())
    .addOption(server())
    .action((event, options) =>
      choose(options, async (given) => (await import("./verbs/audit.ts")).auditProve(given, event, options)),
    );
  audit
    .command("export")
    .description("write the log and a signed checkpoint to files")
    .option("--log <file>", "default audit.jsonl")
    .option("--checkpoint <file>", "default audit.checkpoint")
    .addOption(output())
    .addOption(server())
    .action((options) =>
      choose(options, async (given) => (await import("./verbs/audit.ts")).auditExport(given, options)),
    );
  audit
    .command("verify")
    .description("offline with an exported log and checkpoint; else the log that is kept")
    .option("--log <file>", "an exported log")
    .option("--checkpoint <file>", "the checkpoint to hold it against")
    .option("--key <key>", "the verifier key you trust; default: the one in the checkpoint file")
    .addOption(output())
    .addOption(server())
    .action((options) =>
      choose(options, async (given) => (await import("./verbs/audit.ts")).auditVerify(given, options)),
    );
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
      choose(options, async (given) => (await import("./verbs/policy-eval.ts")).policyEval(given, files, options)),
    );
}
