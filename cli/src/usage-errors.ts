import { CodedError } from "@xcloudflow/model/coded-error";
import type { CommanderError } from "commander";

/** Thrown when the words after `xcf` name no verb, or do not fit the verb they name. */
export class UsageInvalidError extends CodedError {
  constructor(cause: CommanderError, words: readonly string[]) {
    const { what, near } = readMessage(cause, words);
    super("USAGE_INVALID", "invalid", {
      what,
      hint: near ?? "`xcf --help` lists the verbs, `xcf VERB --help` a verb's options",
      cause,
    });
  }
}

/** Commander's sentence without its prefix, and the name it thinks was meant. */
function readMessage({ code, message }: CommanderError, words: readonly string[]): { what: string; near?: string } {
  if (code === "commander.help")
    return {
      what: words.length === 0 ? "a verb is missing" : `\`xcf ${words.join(" ")}\` needs another word after it`,
    };
  const [first = "", ...rest] = message.split("\n");
  const near = /^\(Did you mean (.*)\?\)$/.exec(rest.join(" ").trim())?.[1];
  const what = first
    .replace(/^error: /, "")
    .replace(/\.$/, "")
    .replace(/^unknown command '(.*)'$/, 'there is no verb "$1"');
  return near === undefined ? { what } : { what, near: `did you mean "${near}"?` };
}
