import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, globSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { bundleProcess } from "../../../tools/process-bundle.ts";
import { expectedProcesses } from "./expected-processes.ts";

const root = dirname(dirname(dirname(import.meta.dirname)));

/** Every process that is written, and of the others what they will be made of. */
function entryOf(entry: string): string {
  if (existsSync(join(root, entry))) return entry;
  const made = globSync(`${dirname(entry)}/*-{service,engine}.ts`, { cwd: root });
  return made[0] ?? entry;
}

const once = ["deploy/mesh/src/ca-main.ts", "deploy/mesh/src/migrate-main.ts"];

for (const entry of new Set([...expectedProcesses.map((process) => process.entry), ...once])) {
  test(`${entry} becomes a bundle that needs no package beside it`, async (context) => {
    const folder = mkdtempSync(join(tmpdir(), "xcf-bundle-"));
    context.after(() => rmSync(folder, { recursive: true }));
    await bundleProcess(root, entryOf(entry), folder);
    writeFileSync(join(folder, "package.json"), '{"type":"module"}');
    // A process that is told nothing ends by saying what it lacks; what must not happen is that code is missing.
    const script = 'import("./main.js").catch((error) => { console.error(error); process.exit(3); })';
    const said = runInside(folder, script);
    assert.doesNotMatch(said, /ERR_MODULE_NOT_FOUND|Dynamic require|is not defined/);
  });
}

function runInside(folder: string, script: string): string {
  try {
    execFileSync(process.execPath, ["-e", script], { cwd: folder, env: {}, timeout: 20_000, stdio: "pipe" });
    return "";
  } catch (error) {
    const stderr = error instanceof Error && "stderr" in error ? String(error.stderr) : String(error);
    assert.ok(stderr.length > 0, "the process neither started nor said why");
    return stderr;
  }
}
