import assert from "node:assert/strict";
import { dirname } from "node:path";
import { test } from "node:test";
import { collectLicences, packageFolders } from "./third-party-licences.ts";

test("a bundled file belongs to its innermost package", () => {
  const inputs = [
    "cli/src/main.ts",
    "node_modules/zod/v4/a.js",
    "node_modules/zod/v4/b.js",
    "node_modules/@scope/name/a.js",
    "node_modules/zod/node_modules/inner/a.js",
  ];
  assert.deepEqual(packageFolders(inputs), [
    "node_modules/@scope/name",
    "node_modules/zod",
    "node_modules/zod/node_modules/inner",
  ]);
});

test("the licence text of a bundled package is told with its version", () => {
  const text = collectLicences(dirname(import.meta.dirname), ["node_modules/zod/index.js"]);
  assert.match(text, /^zod \d+\.\d+\.\d+\nLicence: MIT\n/);
  assert.match(text, /Permission is hereby granted/);
});
