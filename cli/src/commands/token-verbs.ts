import { type Command, Option } from "commander";
import { TOKEN_ROLES } from "../token-roles.ts";
import { type Choose, many, output, server, time } from "./verb-options.ts";

/** API tokens. */
export function defineTokenVerbs(program: Command, choose: Choose): void {
  const token = program.command("token").description("API tokens: create, list, revoke");
  token
    .command("create")
    .description("make a token and print it, once")
    .addOption(new Option("--role <role>", "what it may do").choices(TOKEN_ROLES).makeOptionMandatory())
    .option("--user <subject>", "who it stands for (default: you)")
    .option("--group <group>", "a group of that person; repeatable", many, [])
    .option("--env <environment>", "where the role holds; repeatable (default: everywhere)", many, [])
    .option("--write-state", "may write engine state over HTTP (break-glass, audited)")
    .option("--expires <time>", "RFC 3339 (default: in ninety days)", time)
    .addOption(output())
    .addOption(server())
    .action((options) =>
      choose(options, async (given) => (await import("../verbs/token.ts")).tokenCreate(given, options)),
    );
  token
    .command("list")
    .description("the tokens there are")
    .addOption(output())
    .addOption(server())
    .action((options) =>
      choose(options, async (given) => (await import("../verbs/token.ts")).tokenList(given, options)),
    );
  token
    .command("revoke <id>")
    .description("end a token now")
    .addOption(output())
    .addOption(server())
    .action((id, options) =>
      choose(options, async (given) => (await import("../verbs/token.ts")).tokenRevoke(given, id, options)),
    );
}
