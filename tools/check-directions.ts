// Checks who imports whom and how long files are, over every source file git knows or would add.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { z } from "zod";
import { findBreaches, type Workspace } from "./directions.ts";

const root = dirname(import.meta.dirname);
const versions = z.record(z.string(), z.string()).default({});
const manifestShape = z.object({
  name: z.string(),
  dependencies: versions,
  peerDependencies: versions,
  devDependencies: versions,
});

function listFiles(): string[] {
  const output = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "-z"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 << 20,
  });
  return [...new Set(output.split("\0"))].filter((path) => path !== "" && existsSync(join(root, path)));
}

function readManifest(path: string): z.infer<typeof manifestShape> {
  return manifestShape.parse(JSON.parse(readFileSync(join(root, path), "utf8")));
}

function readWorkspace(path: string): Workspace {
  const manifest = readManifest(path);
  return {
    folder: posix.dirname(path),
    name: manifest.name,
    dependencies: Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }),
    devDependencies: Object.keys({ ...manifest.devDependencies, ...readManifest("package.json").devDependencies }),
  };
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
