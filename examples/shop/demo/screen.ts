/** Prints the story: a heading a step, commands as typed, and what they answer. */
export interface Screen {
  heading(title: string, prose: string): void;
  command(prompt: string, typed: string, comment?: string): void;
  answer(text: string, keep: readonly Keep[]): void;
  note(text: string): void;
}

const WIDTH = 120;

export function createScreen(write: (text: string) => void, styled: boolean, steps: number): Screen {
  const style = (code: number, text: string): string => (styled ? `\u001b[${code}m${text}\u001b[0m` : text);
  let step = 0;
  return {
    heading(title, prose) {
      step += 1;
      const rule = `── ${step}/${steps}  ${title} `;
      write(`\n${style(1, rule.padEnd(WIDTH, "─"))}\n${wrap(prose).join("\n")}\n\n`);
    },
    command(prompt, typed, comment) {
      const start = `${prompt}$ ${typed}`;
      const rest = comment === undefined ? "" : clip(`${start}   # ${comment}`).slice(start.length);
      write(`${style(2, `${prompt}$`)} ${style(1, typed)}${style(2, rest)}\n`);
    },
    answer(text, keep) {
      for (const line of choose(text, keep)) for (const row of fold(line)) write(`   ${row}\n`);
    },
    note(text) {
      write(`${style(2, `   ${clip(text)}`)}\n`);
    },
  };
}

/** What of an answer is worth its place: single lines, or lines from one on up to an empty one. */
export type Keep = RegExp | { readonly first: RegExp; readonly only: RegExp };

/** The lines of the block that begins with `first`: those that match, of all of them. */
export const block = (first: RegExp, only = /^/): Keep => ({ first, only });

/** The lines that are kept, with one mark for what was left out between them; all lines when nothing is asked for. */
export function choose(text: string, keep: readonly Keep[]): string[] {
  const lines = text.trimEnd().split("\n");
  if (keep.length === 0) return lines;
  const chosen: string[] = [];
  let inside: RegExp | undefined;
  let skipped = false;
  for (const line of lines) {
    if (line === "") inside = undefined;
    for (const pattern of keep) if (!(pattern instanceof RegExp) && pattern.first.test(line)) inside = pattern.only;
    const isKept = inside?.test(line) ?? keep.some((pattern) => pattern instanceof RegExp && pattern.test(line));
    if (!isKept) {
      // That work goes on is not worth a mark of its own.
      skipped ||= inside === undefined && !/^([▸…✓] |$)/.test(line);
      continue;
    }
    if (skipped && chosen.length > 0) chosen.push("⋮");
    chosen.push(line);
    skipped = false;
  }
  return chosen;
}

/** A statement gets a second row where it is long, a detail (which is indented) is cut. */
function fold(line: string): string[] {
  const room = WIDTH - 3;
  if (line.length <= room || line.startsWith(" ")) return [clip(line)];
  const space = line.lastIndexOf(" ", room);
  const end = space > room / 2 ? space : room;
  return [line.slice(0, end), `  ${clip(line.slice(end).trimStart())}`];
}

function clip(line: string): string {
  return line.length > WIDTH - 5 ? `${line.slice(0, WIDTH - 6)}…` : line;
}

function wrap(prose: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of prose.split(/\s+/)) {
    if (line !== "" && line.length + word.length + 1 > WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
