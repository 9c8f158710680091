import { answerInitdb } from "@xcloudflow/embedded/initdb-cli";
import { EXIT, type ExitCode } from "../exit-code.ts";
import type { Surroundings } from "../surroundings.ts";

/** Makes a new database's files for the process that started this one. */
export async function initdb({ terminal }: Surroundings, directory: string): Promise<ExitCode> {
  return (await answerInitdb(directory, (text) => terminal.err(text))) ? EXIT.done : EXIT.failed;
}
