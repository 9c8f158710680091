import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { ConfigInvalidError, readConfig } from "./config.ts";

const schema = z.object({
  XCF_PORT: z.coerce.number().int().positive().default(7070),
  XCF_DATABASE_URL: z.url(),
  XCF_MODE: z.enum(["a", "b"]),
});

test("reads variables, an empty one as absent", () => {
  const environment = { XCF_PORT: "", XCF_DATABASE_URL: "postgres://x/y", XCF_MODE: "a", OTHER: "z" };
  assert.deepEqual(readConfig(schema, environment), {
    XCF_PORT: 7070,
    XCF_DATABASE_URL: "postgres://x/y",
    XCF_MODE: "a",
  });
});

test("names every variable that is missing or wrong, and no value", () => {
  assert.throws(
    () => readConfig(schema, { XCF_PORT: "-1", XCF_DATABASE_URL: "hunter2" }),
    (error: unknown) => {
      assert.ok(error instanceof ConfigInvalidError);
      assert.equal(error.problems.length, 3);
      assert.match(error.message, /XCF_PORT: .*; XCF_DATABASE_URL: .*; XCF_MODE is not set/);
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    },
  );
});
