import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { maskResult } from "./decision-mask.ts";

const result = { denials: [{ message: "secret" }, { message: "other" }], "a/b": 1 };

describe("masking a logged decision", () => {
  test("keeps the result as it is without a mask, and never the input", () => {
    assert.deepEqual(maskResult(result, undefined), { result, erased: ["/input"], masked: [] });
  });

  test("removes and replaces what pointers name, without moving what other pointers name", () => {
    const masked = maskResult(result, [
      "/result/denials/0",
      { op: "upsert", path: "/result/denials/1/message", value: "x" },
      "/result/a~1b",
    ]);
    assert.deepEqual(masked.result, { denials: [null, { message: "x" }] });
    assert.deepEqual(masked.erased, ["/input", "/result/denials/0", "/result/a~1b"]);
    assert.deepEqual(masked.masked, ["/result/denials/1/message"]);
    assert.equal(result.denials[0]?.message, "secret");
  });

  test("passes over what is not there, and reaches nothing but the result", () => {
    const masked = maskResult(result, [
      "/result/nothing/here",
      "/labels/app",
      "/result/__proto__/x",
      "/input/password",
    ]);
    assert.deepEqual(masked, { result, erased: ["/input"], masked: [] });
  });

  test("hides everything when the mask cannot be read", () => {
    for (const mask of [{ op: "remove" }, [7], "text"]) {
      assert.deepEqual(maskResult(result, mask), { result: undefined, erased: ["/input", "/result"], masked: [] });
    }
  });

  test("can hide the whole result", () => {
    assert.deepEqual(maskResult(result, ["/result"]).result, undefined);
  });
});
