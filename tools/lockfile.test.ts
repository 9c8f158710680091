import assert from "node:assert/strict";
import { test } from "node:test";
import { findUnlocked } from "./lockfile.ts";

test("a dependency is found in its own folder or any above", () => {
  const packages = {
    "": { dependencies: { a: "1" } },
    "lib/model": { dependencies: { a: "1", "@s/b": "1" } },
    "node_modules/a": {},
    "lib/model/node_modules/@s/b": {},
  };
  assert.deepEqual(findUnlocked(packages), []);
});

test("an optional package of another platform that is not locked is named", () => {
  const packages = {
    "": {},
    "node_modules/biome": { optionalDependencies: { "@biome/linux": "1", "@biome/darwin": "1" } },
    "node_modules/@biome/linux": {},
  };
  assert.deepEqual(findUnlocked(packages), ["node_modules/biome needs @biome/darwin"]);
});
