import type { Command } from "commander";
import { type Choose, output, port } from "./verb-options.ts";

/** What stays running, and what the program starts of itself. */
export function defineServerVerbs(program: Command, choose: Choose): void {
  program
    .command("up")
    .description("serve the embedded control plane: gRPC, Connect and the Terraform state backend")
    .option("--host <address>", "where to listen", "127.0.0.1")
    .option("--grpc-port <port>", "0 takes a free one", port, 0)
    .option("--http-port <port>", "0 takes a free one", port, 0)
    .option("--metrics-port <port>", "serve metrics for Prometheus, without a token; 0 takes a free one", port)
    .addOption(output())
    .action((options) => choose(options, async (given) => (await import("../verbs/up.ts")).up(given, options)));
  program
    .command("initdb <folder>", { hidden: true })
    .description("make a new database's files")
    .action((folder) => choose({}, async (given) => (await import("../verbs/initdb.ts")).initdb(given, folder)));
  program
    .command("owner <folder>", { hidden: true })
    .description("serve a .xcf folder to this user's other xcf processes")
    .action((folder) => choose({}, async (given) => (await import("../verbs/owner.ts")).owner(given, folder)));
}
