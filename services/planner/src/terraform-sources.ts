/** A `source = "…"` of a module call, and where it stands (from 1). */
export interface TerraformSource {
  readonly source: string;
  readonly line: number;
  readonly col: number;
}

/** Whether Terraform reads the file as configuration. */
export function isTerraformFile(name: string): boolean {
  return /\.(?:tf|tofu)(?:\.json)?$/.test(name);
}

/** A source that names a folder beside the module, as Terraform tells them: `./x`, `../x`. */
export function isLocalSource(source: string): boolean {
  return source === "." || source === ".." || source.startsWith("./") || source.startsWith("../");
}

/**
 * The literal sources of the module calls in one `.tf` or `.tf.json` file. A file that does not parse has none: the
 * engine says what is wrong with it, better than a scan could.
 */
export function scanTerraformSources(name: string, text: string): TerraformSource[] {
  return name.endsWith(".json") ? scanJson(text) : scanHcl(text);
}

function scanJson(text: string): TerraformSource[] {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    return [];
  }
  const found: TerraformSource[] = [];
  for (const block of blocksOf(memberOf(root, "module"))) {
    for (const call of Object.values(block).flatMap(blocksOf)) {
      const source = memberOf(call, "source");
      if (typeof source !== "string") continue;
      const offset = text.indexOf(JSON.stringify(source));
      found.push({ source, ...position(text, Math.max(offset, 0)) });
    }
  }
  return found;
}

/** Terraform's JSON lets a block be an object or a list of objects. */
function blocksOf(value: unknown): object[] {
  const blocks = Array.isArray(value) ? value : [value];
  return blocks.filter((block): block is object => typeof block === "object" && block !== null);
}

function memberOf(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null
    ? Object.entries(value).find(([name]) => name === key)?.[1]
    : undefined;
}

function scanHcl(text: string): TerraformSource[] {
  // Most files call no module.
  if (!text.includes("module")) return [];
  const found: TerraformSource[] = [];
  const words: string[] = [];
  let depth = 0;
  let inModule = false;
  for (let index = 0; index < text.length; ) {
    const end = skipBlank(text, index);
    if (end > index) {
      if (text.slice(index, end).includes("\n")) words.length = 0;
      index = end;
      continue;
    }
    const char = text[index];
    if (char === '"') {
      const close = skipString(text, index);
      if (inModule && depth === 1 && words.join(" ") === "source =") {
        const literal = text.slice(index + 1, close - 1);
        if (!/[$%]\{|\\/.test(literal)) found.push({ source: literal, ...position(text, index) });
      }
      words.push('""');
      index = close;
    } else if (char === "{") {
      if (depth === 0) inModule = words[0] === "module";
      depth += 1;
      words.length = 0;
      index += 1;
    } else if (char === "}") {
      depth = Math.max(depth - 1, 0);
      words.length = 0;
      index += 1;
    } else if (text.startsWith("<<", index)) {
      index = skipHeredoc(text, index);
    } else {
      const [word] = /^[\p{L}_][\p{L}\p{N}_-]*/u.exec(text.slice(index, index + 200)) ?? [text.slice(index, index + 1)];
      words.push(word);
      index += word.length;
    }
  }
  return found;
}

/** Past white space and comments. */
function skipBlank(text: string, start: number): number {
  let index = start;
  for (;;) {
    while (/\s/.test(text[index] ?? "x")) index += 1;
    if (text[index] === "#" || text.startsWith("//", index)) index = endOr(text.indexOf("\n", index), text);
    else if (text.startsWith("/*", index)) index = endOr(text.indexOf("*/", index + 2), text, 2);
    else return index;
  }
}

function endOr(index: number, text: string, length = 0): number {
  return index === -1 ? text.length : index + length;
}

/** Past the closing quote; templates inside may hold further strings. */
function skipString(text: string, start: number): number {
  let index = start + 1;
  while (index < text.length) {
    const char = text[index];
    if (char === "\\") index += 2;
    else if (char === '"') return index + 1;
    else if (char === "\n") return index;
    else if (text.startsWith("$${", index) || text.startsWith("%%{", index)) index += 3;
    else if (text.startsWith("${", index) || text.startsWith("%{", index)) index = skipTemplate(text, index + 2);
    else index += 1;
  }
  return text.length;
}

function skipTemplate(text: string, start: number): number {
  let depth = 1;
  let index = start;
  while (index < text.length) {
    const char = text[index];
    if (char === '"') {
      index = skipString(text, index);
      continue;
    }
    if (char === "{") depth += 1;
    if (char === "}") depth -= 1;
    index += 1;
    if (depth === 0) return index;
  }
  return text.length;
}

function skipHeredoc(text: string, start: number): number {
  const [opening, name] = /^<<-?([\p{L}_][\p{L}\p{N}_-]*)[ \t]*\r?\n/u.exec(text.slice(start, start + 300)) ?? [];
  if (opening === undefined || name === undefined) return start + 2;
  for (let line = start + opening.length; line < text.length; ) {
    const end = endOr(text.indexOf("\n", line), text);
    if (text.slice(line, end).trim() === name) return end;
    line = end + 1;
  }
  return text.length;
}

function position(text: string, offset: number): { line: number; col: number } {
  const before = text.slice(0, offset);
  return { line: before.split("\n").length, col: offset - before.lastIndexOf("\n") };
}
