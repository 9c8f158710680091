import { changeSetOutputSchema, type ShownChangeSet } from "../output/change-set-output.ts";
import { printJson, type Terminal } from "../terminal.ts";
import { changeSetMarkdown } from "./change-set-markdown.ts";
import { changeSetText } from "./change-set-text.ts";

export function printChangeSet(terminal: Terminal, changeSet: ShownChangeSet, output: string | undefined): void {
  if (output === "json") printJson(terminal, changeSetOutputSchema, changeSet);
  else terminal.out(output === "markdown" ? changeSetMarkdown(changeSet) : changeSetText(changeSet));
}
