/** Prints the story: a heading a step, commands as typed, and what they answer. */
export interface Screen {
  heading(title: string, prose: string): void;
  command(prompt: string, typed: string): void;
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
    command(prompt, typed) {
      write(`${style(2, `${prompt}$`)} ${style(1, typed)}\n`);
    },
    answer(text, keep) {
      for (const line of choose(text, keep)) write(`   ${clip(line)}\n`);
    },
    note(text) {
      write(`${style(2, `   ${clip(text)}`)}\n`);
    },
  };
}

/** What of an answer is worth its place: single lines, or a line with all that follow up to an empty one. */
export type Keep = RegExp | { readonly block: RegExp };

export const block = (first: RegExp): Keep => ({ block: first });

/** The lines that are kept, with one mark for what was left out between them; all lines when nothing is asked for. */
export function choose(text: string, keep: readonly Keep[]): string[] {
  const lines = text.trimEnd().split("\n");
  if (keep.length === 0) return lines;
  const chosen: string[] = [];
  let inBlock = false;
  let skipped = false;
  for (const line of lines) {
    if (line === "") inBlock = false;
    else if (keep.some((pattern) => !(pattern instanceof RegExp) && pattern.block.test(line))) inBlock = true;
    if (!inBlock && !keep.some((pattern) => pattern instanceof RegExp && pattern.test(line))) {
      // That work goes on is not worth a mark of its own.
      skipped ||= !/^[▸…✓] /.test(line);
      continue;
    }
    if (skipped && chosen.length > 0) chosen.push("⋮");
    chosen.push(line);
    skipped = false;
  }
  return chosen;
}

function clip(line: string): string {
  return line.length > WIDTH - 3 ? `${line.slice(0, WIDTH - 4)}…` : line;
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
