import { stripVTControlCharacters } from "node:util";

const LONGEST_LINE = 8_192;
// biome-ignore lint/suspicious/noControlCharactersInRegex: taking control characters out is its purpose
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/**
 * One line fit for a terminal, a log and a pull-request comment: no escape sequences, control or direction-changing
 * characters; a progress bar's carriage returns keep only what they left standing; overlong lines are cut.
 */
export function cleanLine(line: string): string {
  const cut = line.length > 4 * LONGEST_LINE ? line.slice(0, 4 * LONGEST_LINE) : line;
  const plain = stripVTControlCharacters(cut.replace(/\r+$/, ""));
  const last = plain.lastIndexOf("\r");
  const clean = (last === -1 ? plain : plain.slice(last + 1)).replaceAll(CONTROL, "");
  return clean.length <= LONGEST_LINE ? clean : `${clean.slice(0, LONGEST_LINE)}… (${line.length} characters)`;
}
