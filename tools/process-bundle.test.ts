import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { bundleProcess, PackageOutsideBundleError } from "./process-bundle.ts";

function makeRoot(main: string): string {
  const root = mkdtempSync(join(tmpdir(), "xcf-process-bundle-"));
  mkdirSync(join(root, "src"));
  writeFileSync(join(root, "package.json"), JSON.stringify({ dependencies: { wasm: "1" } }));
  writeFileSync(join(root, "src/main.ts"), main);
  writeFileSync(join(root, "src/lazy.ts"), 'export { open } from "wasm";\n');
  return root;
}

test("a package outside the bundle that a process needs to start is refused", async (context) => {
  const root = makeRoot('import { open } from "wasm";\nopen();\n');
  context.after(() => rmSync(root, { recursive: true }));
  await assert.rejects(bundleProcess(root, "src/main.ts", join(root, "out")), PackageOutsideBundleError);
});

test("a package outside the bundle that is imported where it is used is only reported", async (context) => {
  const root = makeRoot('export const later = () => import("wasm");\nsetTimeout(() => import("node:fs"), 1);\n');
  context.after(() => rmSync(root, { recursive: true }));
  const { optional } = await bundleProcess(root, "src/main.ts", join(root, "out"));
  assert.deepEqual(optional, ["wasm"]);
});
