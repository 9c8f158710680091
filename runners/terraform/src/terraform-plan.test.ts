import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SecretText } from "@xcloudflow/model/secret-text";
import { createSecretRedactor } from "@xcloudflow/runner-host/secret-redactor";
import { createValueRedactor } from "@xcloudflow/runner-host/value-redactor";
import { readPlan } from "./terraform-plan.ts";

const secrets = createSecretRedactor();
secrets.add(new SecretText("geheim-123"));
const redactor = createValueRedactor(Buffer.alloc(32, 1), secrets);
const change = (more: object): object => ({
  actions: ["create"],
  before: null,
  after: {},
  after_unknown: {},
  before_sensitive: false,
  after_sensitive: {},
  ...more,
});
const planOf = (more: object, version = "1.2"): string => JSON.stringify({ format_version: version, ...more });

describe("readPlan", () => {
  it("accepts any 1.x with members it does not know, and refuses another major", () => {
    assert.doesNotThrow(() => readPlan(planOf({ something_new: { x: 1 } }, "1.99"), redactor));
    for (const version of ["2.0", "0.2", "10.0", undefined]) {
      assert.throws(() => readPlan(JSON.stringify({ format_version: version }), redactor), {
        code: "PLAN_FORMAT_UNSUPPORTED",
      });
    }
  });

  it("hides what is marked, and known secrets where nothing is marked", () => {
    const text = planOf({
      resource_changes: [
        {
          address: "a.b",
          type: "a",
          mode: "managed",
          change: change({
            after: { p: "x", q: ["y", "z"], url: "postgres://geheim-123@h", "geheim-123": 1 },
            after_sensitive: { p: true, q: [false, true] },
          }),
        },
      ],
    });
    const { changes } = readPlan(text, redactor);
    const after = changes[0]?.after;
    assert.deepEqual(after, {
      p: { $redacted: redactor.hmac("x") },
      q: ["y", { $redacted: redactor.hmac("z") }],
      url: { $redacted: redactor.hmac("postgres://geheim-123@h") },
      "(redacted)": 1,
    });
    assert.deepEqual(changes[0]?.sensitive, { p: true, q: [false, true] });
  });

  it("hides an old secret wherever it was copied, when one place marks it", () => {
    const text = planOf({
      resource_changes: [
        {
          address: "a.b",
          type: "a",
          change: change({
            actions: ["update"],
            before: { input: "old-secret", output: "has old-secret inside" },
            before_sensitive: { input: true },
            after: { input: "n" },
          }),
        },
      ],
    });
    assert.doesNotMatch(JSON.stringify(readPlan(text, redactor)), /old-secret/);
  });

  it("keeps replacement's order, moves, and counts what stays without listing it", () => {
    const text = planOf({
      resource_changes: [
        { address: "a.r", type: "a", change: change({ actions: ["create", "delete"], replace_paths: [["x", 0]] }) },
        { address: "a.same", type: "a", change: change({ actions: ["no-op"] }) },
        { address: "a.new", previous_address: "a.old", type: "a", change: change({ actions: ["no-op"] }) },
      ],
    });
    const { changes, noops } = readPlan(text, redactor);
    assert.deepEqual(
      changes.map(({ address, actions, previousAddress }) => [address, actions.join(), previousAddress]),
      [
        ["a.r", "create,delete", undefined],
        ["a.new", "no-op", "a.old"],
      ],
    );
    assert.equal(noops, 1);
  });

  it("says what is incomplete and which checks do not hold", () => {
    const { hazards, errored } = readPlan(
      planOf({
        complete: false,
        errored: true,
        checks: [
          { address: { to_display: "check.health" }, status: "fail", instances: [{ problems: [{ message: "down" }] }] },
          { address: { to_display: "check.ok" }, status: "pass" },
        ],
      }),
      redactor,
    );
    assert.deepEqual(hazards, [
      "the plan is incomplete: terraform put off a part of it until more is known",
      "check.health does not hold: down",
    ]);
    assert.equal(errored, true);
  });

  it("tells unknown, known, sensitive and removed outputs apart", () => {
    const { outputs } = readPlan(
      planOf({
        output_changes: {
          u: change({ after_unknown: true }),
          part: change({ after: { a: 1 }, after_unknown: { b: true } }),
          k: change({ after: 1.5 }),
          s: change({ after: "x", after_sensitive: true }),
          gone: change({ actions: ["delete"], after: null }),
        },
        planned_values: { outputs: { k: { type: "number" } } },
      }),
      redactor,
    );
    assert.deepEqual(outputs, {
      u: { unknown: true, sensitive: false },
      part: { unknown: true, sensitive: false },
      k: { unknown: false, sensitive: false, value: 1.5, type: "number" },
      s: { unknown: false, sensitive: true, hmac: redactor.hmac("x") },
    });
  });
});
