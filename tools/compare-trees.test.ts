import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { compareTrees } from "./compare-trees.ts";

test("files that differ or are on one side only are named, equal ones not", (context) => {
  const folder = mkdtempSync(join(tmpdir(), "xcf-trees-"));
  context.after(() => rmSync(folder, { recursive: true }));
  for (const side of ["left", "right"]) {
    mkdirSync(join(folder, side, "sub"), { recursive: true });
    writeFileSync(join(folder, side, "sub", "equal"), "same");
    writeFileSync(join(folder, side, "sub", "changed"), side);
    writeFileSync(join(folder, side, `only-${side}`), "");
  }
  const differing = ["only-left", "only-right", "sub/changed"];
  assert.deepEqual(compareTrees(join(folder, "left"), join(folder, "right")), differing);
  assert.deepEqual(compareTrees(join(folder, "left"), join(folder, "left")), []);
  assert.deepEqual(compareTrees(join(folder, "left"), join(folder, "missing")).length, 3);
});
