// Generates the code of the contracts into proto/gen, or with --check says whether what is checked in is still what the
// contracts say. Schemas of others that ours import are fetched with pinned checksums and never checked in.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { compareTrees } from "./compare-trees.ts";
import { findUnannotatedMethods } from "./unannotated-methods.ts";

const root = dirname(import.meta.dirname);
const schemas = join(root, ".cache", "schemas");
const generated = join(root, "proto", "gen");

function run(command: string, args: string[], cwd = root): string {
  const path = `${join(root, "node_modules", ".bin")}:${process.env["PATH"] ?? ""}`;
  return execFileSync(command, args, {
    cwd,
    env: { ...process.env, PATH: path },
    encoding: "utf8",
    maxBuffer: 64 << 20,
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/** Fills .cache/schemas from the Go module (checksum in tools/schemas/go.sum) and npm packages (checksum in the lockfile). */
function fetchSchemas(): void {
  const pin = readFileSync(join(root, "tools", "schemas", "go.mod"), "utf8");
  const stamp = join(schemas, "go.mod");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === pin) return;
  rmSync(schemas, { recursive: true, force: true });
  const module = "github.com/bufbuild/protovalidate";
  run("go", ["mod", "download", module], join(root, "tools", "schemas"));
  const from = run("go", ["list", "-m", "-f", "{{.Dir}}", module], join(root, "tools", "schemas")).trim();
  copy(join(from, "proto", "protovalidate", "buf", "validate", "validate.proto"), "buf/validate/validate.proto");
  const npm = createRequire(join(root, "proto", "package.json"));
  const health = dirname(npm.resolve("grpc-health-check/package.json"));
  copy(join(health, "proto", "health", "v1", "health.proto"), "grpc/health/v1/health.proto");
  const reflection = dirname(npm.resolve("@grpc/reflection/package.json"));
  copy(
    join(reflection, "build", "proto", "grpc", "reflection", "v1", "reflection.proto"),
    "grpc/reflection/v1/reflection.proto",
  );
  copy(join(root, "tools", "schemas", "go.mod"), "go.mod");
}

/** Go's module cache is read-only; the copy must not be. */
function copy(from: string, to: string): void {
  const target = join(schemas, to);
  mkdirSync(dirname(target), { recursive: true });
  cpSync(from, target, { mode: 0 });
}

/** What is wrong with the contracts or with what is checked in for them, a line each. */
function findProblems(): string[] {
  const lint = lintContracts();
  const unannotated = findUnannotatedMethods(buildImage()).map((method) => `${method}: has no permission annotation`);
  const fresh = mkdtempSync(join(tmpdir(), "xcf-proto-"));
  try {
    run("buf", ["generate", "--output", fresh]);
    const drift = compareTrees(join(fresh, "proto", "gen"), generated);
    const stale = drift.map((path) => `proto/gen/${path}: differs from its contract, run \`npm run proto\``);
    return [...lint, ...unannotated, ...stale];
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

function lintContracts(): string[] {
  try {
    run("buf", ["lint", "--path", "proto/xcloudflow"]);
    return [];
  } catch (error) {
    if (error instanceof Error && "stdout" in error && typeof error.stdout === "string" && error.stdout !== "") {
      return error.stdout.trim().split("\n");
    }
    throw error;
  }
}

function buildImage(): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), "xcf-image-"));
  try {
    const file = join(folder, "image.binpb");
    run("buf", ["build", "--as-file-descriptor-set", "--exclude-source-info", "-o", file]);
    return new Uint8Array(readFileSync(file));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

fetchSchemas();
if (process.argv.includes("--check")) {
  const problems = findProblems();
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
} else {
  run("buf", ["generate"]);
  const methods = findUnannotatedMethods(buildImage());
  for (const method of methods) console.error(`${method}: has no permission annotation`);
  if (methods.length > 0) process.exitCode = 1;
}
