/** One import in a source text: what it names and on which line, counted from 1. */
export interface ImportSite {
  specifier: string;
  line: number;
}

const forms = [
  /^[ \t]*(?:import|export)\b[^;"'`]*?\bfrom[ \t]*["']([^"'\n]+)["']/gm,
  /^[ \t]*import[ \t]*["']([^"'\n]+)["']/gm,
  /\bimport\([ \t\n]*["']([^"'\n]+)["']/g,
  /\brequire\([ \t\n]*["']([^"'\n]+)["']/g,
];

/** Every module a TypeScript or JavaScript text imports, types included, in any of the forms, in order of lines. */
export function readImports(text: string): ImportSite[] {
  const code = blankComments(text);
  const sites: ImportSite[] = [];
  for (const form of forms) {
    for (const match of code.matchAll(form)) {
      const specifier = match[1];
      if (specifier === undefined) continue;
      sites.push({ specifier, line: lineAt(code, match.index + match[0].lastIndexOf(specifier)) });
    }
  }
  return sites.sort((left, right) => left.line - right.line);
}

/**
 * Replaces comments by blanks of the same length, so that places stay where they are. Strings are skipped over; a
 * regular expression holding a quote can confuse it, which at worst hides one line from the check.
 */
export function blankComments(text: string): string {
  return text.replace(/"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, (token) =>
    token.startsWith("/") ? token.replace(/[^\n]/g, " ") : token,
  );
}

/** The line, counted from 1, that an offset is on. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
