import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { VERSION } from "../cli/src/version.ts";

test("the version that xcf prints is the one that is published", () => {
  const manifest: unknown = JSON.parse(readFileSync(join(dirname(import.meta.dirname), "package.json"), "utf8"));
  assert.equal(VERSION, z.object({ version: z.string() }).parse(manifest).version);
});
