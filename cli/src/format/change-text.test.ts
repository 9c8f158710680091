import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResourceChange } from "@xcloudflow/model/unit-plan";
import { changeLines } from "./change-text.ts";

function change(parts: Partial<ResourceChange>): ResourceChange {
  return {
    address: "terraform_data.a",
    type: "terraform_data",
    actions: ["create"],
    before: null,
    after: null,
    unknown: {},
    sensitive: {},
    replacePaths: [],
    ...parts,
  };
}

test("what is known inside a value with unknown parts is shown beside them", () => {
  const lines = changeLines(
    change({
      after: { input: { name: "api", settings: { QUEUE: "amqp://q" } } },
      unknown: { id: true, input: { settings: { DATABASE: true } } },
    }),
  );
  assert.deepEqual(lines, [
    "+ terraform_data.a",
    '    input = {"name": "api", "settings": {"QUEUE": "amqp://q", "DATABASE": (known after apply)}}',
    "    id = (known after apply)",
  ]);
});

test("unknown members of a list keep their places", () => {
  const lines = changeLines(
    change({
      actions: ["update"],
      before: { zones: ["a", "b"] },
      after: { zones: ["a", null, "c"] },
      unknown: { zones: [false, true, false] },
    }),
  );
  assert.deepEqual(lines, ["~ terraform_data.a", '    zones: ["a", "b"] → ["a", (known after apply), "c"]']);
});

test("a value that looks like the marker of an unknown is shown as it is", () => {
  assert.deepEqual(changeLines(change({ after: { input: {} } })), ["+ terraform_data.a", "    input = {}"]);
});

test("secrets are named, at any depth", () => {
  const lines = changeLines(change({ after: { input: { password: { $redacted: "ab12" } } } }));
  assert.deepEqual(lines, ["+ terraform_data.a", '    input = {"password": (sensitive)}']);
});
