// Checks who imports whom and how long files are, over every source file git knows or would add.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { findBreaches, type Workspace } from "./directions.ts";

const root = dirname(import.meta.dirname);

function listFiles(): string[] {
  const output = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "-z"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 << 20,
  });
  return [...new Set(output.split("\0"))].filter((path) => path !== "" && existsSync(join(root, path)));
}

function readWorkspace(manifest: string): Workspace {
  const parsed: unknown = JSON.parse(readFileSync(join(root, manifest), "utf8"));
  return {
    folder: posix.dirname(manifest),
    name: stringOf(parsed, "name"),
    dependencies: [...keysOf(parsed, "dependencies"), ...keysOf(parsed, "peerDependencies")],
    devDependencies: [...keysOf(parsed, "devDependencies"), ...keysOf(rootManifest(), "devDependencies")],
  };
}

function rootManifest(): unknown {
  return JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
}

function stringOf(value: unknown, key: string): string {
  const found = typeof value === "object" && value !== null ? Object.getOwnPropertyDescriptor(value, key)?.value : "";
  return typeof found === "string" ? found : "";
}

function keysOf(value: unknown, key: string): string[] {
  const found = typeof value === "object" && value !== null ? Object.getOwnPropertyDescriptor(value, key)?.value : {};
  return typeof found === "object" && found !== null ? Object.keys(found) : [];
}

const files = listFiles();
const workspaces = files
  .filter((path) => /^(proto|cli|test|(lib|services|runners|deploy)\/[^/]+)\/package\.json$/.test(path))
  .map(readWorkspace);
const sources = files
  .filter((path) => /\.(ts|mts|js|mjs)$/.test(path) && !/(^|\/)(gen|dist|testdata)\//.test(path))
  .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
const breaches = findBreaches(sources, workspaces);
for (const breach of breaches) console.error(breach);
if (breaches.length > 0) process.exitCode = 1;
