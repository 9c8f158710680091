import type { Command } from "commander";
import { type Choose, count, output, server, time } from "./verb-options.ts";

/** The audit log. */
export function defineAuditVerbs(program: Command, choose: Choose): void {
  const audit = program.command("audit").description("the audit log: query, prove, export, verify");
  audit
    .command("query", { isDefault: true })
    .description("events, newest first")
    .option("--type <prefix>", "such as orchestrator.approval")
    .option("--subject <name>", "unit, ChangeSet or run")
    .option("--actor <name>", "who did it")
    .option("--since <time>", "RFC 3339, inclusive", time)
    .option("--until <time>", "RFC 3339, exclusive", time)
    .option("--limit <n>", "at most this many", count, 50)
    .addOption(output())
    .addOption(server())
    .action((options) =>
      choose(options, async (given) => (await import("../verbs/audit.ts")).auditQuery(given, options)),
    );
  audit
    .command("prove <event>")
    .description("that an event, by id or index, is in the log")
    .addOption(output())
    .addOption(server())
    .action((event, options) =>
      choose(options, async (given) => (await import("../verbs/audit.ts")).auditProve(given, event, options)),
    );
  audit
    .command("export")
    .description("write the log and a signed checkpoint to files")
    .option("--log <file>", "default audit.jsonl")
    .option("--checkpoint <file>", "default audit.checkpoint")
    .addOption(output())
    .addOption(server())
    .action((options) =>
      choose(options, async (given) => (await import("../verbs/audit.ts")).auditExport(given, options)),
    );
  audit
    .command("verify")
    .description("offline with an exported log and checkpoint; else the log that is kept")
    .option("--log <file>", "an exported log")
    .option("--checkpoint <file>", "the checkpoint to hold it against")
    .option("--key <key>", "the verifier key you trust; default: this account's, else the one in the checkpoint file")
    .addOption(output())
    .addOption(server())
    .action((options) =>
      choose(options, async (given) => (await import("../verbs/audit-verify.ts")).auditVerify(given, options)),
    );
}
