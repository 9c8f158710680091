import assert from "node:assert/strict";
import { test } from "node:test";
import { EngineMissingError } from "./engine-errors.ts";
import { createMissingEngine } from "./missing-engine.ts";

test("a missing engine refuses every verb with what to do and offers no version", async () => {
  const engine = createMissingEngine("terraform", "install it");
  assert.equal(engine.version, "");
  const verbs = ["plan", "apply", "destroy", "detectDrift", "snapshot", "restore", "outputs"] as const;
  for (const verb of verbs) {
    const attempt = {} as Parameters<typeof engine.plan>[0];
    await assert.rejects(engine[verb](attempt), (error) => {
      assert.ok(error instanceof EngineMissingError);
      assert.equal(error.hint, "install it");
      return true;
    });
  }
});
