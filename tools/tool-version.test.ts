import assert from "node:assert/strict";
import { test } from "node:test";
import { isAtLeast, readVersion } from "./tool-version.ts";

test("the version is found in what each kind of tool prints", () => {
  assert.equal(readVersion("Version: 1.22.2\nBuild Commit: \n"), "1.22.2");
  assert.equal(readVersion("nats-server: v2.15.2"), "2.15.2");
  assert.equal(readVersion("no version here"), undefined);
});

test("versions are compared number by number, not as text", () => {
  assert.equal(isAtLeast("1.22.2", "1.9.10"), true);
  assert.equal(isAtLeast("1.9.10", "1.22.2"), false);
  assert.equal(isAtLeast("2.0", "2.0.0"), true);
  assert.equal(isAtLeast("2.9.9", "2.15.2"), false);
});
