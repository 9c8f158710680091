import type { ShownChangeSet } from "../change-set-document.ts";
import { printJson, type Terminal } from "../terminal.ts";
import { changeSetMarkdown } from "./change-set-markdown.ts";
import { changeSetText } from "./change-set-text.ts";

export function printChangeSet(terminal: Terminal, changeSet: ShownChangeSet, output: string | undefined): void {
  if (output === "json") printJson(terminal, changeSet);
  else terminal.out(output === "markdown" ? changeSetMarkdown(changeSet) : changeSetText(changeSet));
}
