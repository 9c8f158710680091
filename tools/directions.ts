import { posix } from "node:path";
import { blankComments, lineAt, readImports } from "./read-imports.ts";

/** An npm workspace: its folder from the root, its package name and what its package.json lets it import. */
export interface Workspace {
  folder: string;
  name: string;
  dependencies: string[];
  devDependencies: string[];
}

/** A file of the repository, its path from the root with forward slashes. */
export interface SourceFile {
  path: string;
  text: string;
}

const longestFile = 400;
const processModules = ["node:child_process", "child_process", "execa"];
const outsideWorld = ["fs", "net", "http", "https", "http2", "dns", "tls", "dgram", "worker_threads", "cluster"];

/** What each kind of workspace may import of ours, by folder. Composition roots and tests may import everything. */
const mayImport: { from: RegExp; to: RegExp }[] = [
  { from: /^proto$/, to: /^$/ },
  { from: /^lib\/model$/, to: /^proto$/ },
  { from: /^lib\/chassis$/, to: /^(proto|lib\/model)$/ },
  { from: /^lib\/database$/, to: /^(proto|lib\/(model|chassis))$/ },
  { from: /^services\//, to: /^(proto|lib\/.+)$/ },
  { from: /^runners\/host$/, to: /^(proto|lib\/(model|chassis))$/ },
  { from: /^runners\//, to: /^(proto|lib\/(model|chassis)|runners\/host)$/ },
  { from: /^cli$/, to: /^(proto|lib\/.+|deploy\/embedded)$/ },
  { from: /^(deploy\/.+|test)$/, to: /^(?!test$)/ },
];

/** Every breach of the import directions and size limits, as `path:line  what`, sorted. */
export function findBreaches(files: SourceFile[], workspaces: Workspace[]): string[] {
  return files.flatMap((file) => [...checkImports(file, workspaces), ...checkText(file)]).sort();
}

function checkImports(file: SourceFile, workspaces: Workspace[]): string[] {
  const home = workspaces.find((workspace) => file.path.startsWith(`${workspace.folder}/`));
  if (home === undefined) return [];
  return readImports(file.text).flatMap(({ specifier, line }) => {
    const problem = specifier.startsWith(".")
      ? judgeRelative(file.path, specifier, home)
      : (judgeWorkspace(specifier, home, workspaces, isTest(file.path)) ?? judgePackage(file.path, specifier, home));
    return problem === undefined ? [] : [`${file.path}:${line}  ${problem}`];
  });
}

function judgeRelative(path: string, specifier: string, home: Workspace): string | undefined {
  const target = posix.join(posix.dirname(path), specifier);
  if (target.startsWith(`${home.folder}/`)) return undefined;
  if (home.folder === "test" && target.startsWith("tools/")) return undefined;
  return `reaches out of its workspace to ${target}; import it as a package`;
}

function judgeWorkspace(specifier: string, home: Workspace, all: Workspace[], test: boolean): string | undefined {
  const target = all.find(({ name }) => specifier === name || specifier.startsWith(`${name}/`));
  if (target === undefined || target === home) return undefined;
  if (test && target.folder === "test") return undefined;
  const rule = mayImport.find(({ from }) => from.test(home.folder));
  if (rule?.to.test(target.folder)) return undefined;
  return `${home.folder} must not import ${target.folder}`;
}

function judgePackage(path: string, specifier: string, home: Workspace): string | undefined {
  const test = isTest(path) || home.folder === "test";
  const module = specifier.replace(/^node:/, "").split("/")[0] ?? "";
  if (specifier.startsWith("node:")) {
    if (!test && home.folder === "lib/model" && outsideWorld.includes(module)) {
      return `lib/model is pure and must not import ${specifier}`;
    }
    if (test || !processModules.includes(specifier) || path.endsWith("-cli.ts")) return undefined;
    return `${specifier} belongs in a file named *-cli.ts`;
  }
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  if (!test && processModules.includes(name) && !path.endsWith("-cli.ts")) {
    return `${name} belongs in a file named *-cli.ts`;
  }
  if (!test && name === "kysely" && !mayUseKysely(path)) {
    return "kysely belongs in *-store.ts, migrations or lib/database";
  }
  const declared = home.dependencies.includes(name) || (test && home.devDependencies.includes(name));
  return declared ? undefined : `${name} is not a dependency in ${home.folder}/package.json`;
}

function mayUseKysely(path: string): boolean {
  return path.endsWith("-store.ts") || path.includes("/migrations/") || path.startsWith("lib/database/");
}

function checkText(file: SourceFile): string[] {
  if (/^(test|tools|examples)\//.test(file.path) || isTest(file.path)) return [];
  const problems: string[] = [];
  const lines = file.text.trimEnd().split("\n").length;
  if (lines > longestFile) problems.push(`${file.path}:${longestFile}  has ${lines} lines; split it by noun`);
  if (/(^|[/-])main\.ts$/.test(file.path) || file.path.startsWith("bin/")) return problems;
  const code = blankComments(file.text);
  for (const match of code.matchAll(/\bprocess\s*(?:\.|\?\.)\s*env\b|\{[^}]*\benv\b[^}]*\}\s*from\s*"node:process"/g)) {
    problems.push(`${file.path}:${lineAt(code, match.index)}  process.env belongs in main.ts; pass what is needed in`);
  }
  for (const match of code.matchAll(/\bimport\.meta\b/g)) {
    problems.push(
      `${file.path}:${lineAt(code, match.index)}  import.meta is not the same once bundled; import the file`,
    );
  }
  return problems;
}

/** Unit tests stand beside the source and may start or read what the source may not. */
function isTest(path: string): boolean {
  return path.endsWith(".test.ts");
}
