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
      after: { input: { name: "api", settings: { QUEUE: "q" } } },
      unknown: { id: true, input: { settings: { DB: true } } },
    }),
  );
  assert.deepEqual(lines, [
    "+ terraform_data.a",
    '    input = {"name": "api", "settings": {"QUEUE": "q", "DB": (known after apply)}}',
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

test("an update names what differs, as deep inside maps as it lies", () => {
  const lines = changeLines(
    change({
      actions: ["update"],
      before: { input: { image: "api:1", name: "api", tags: { a: "1" } }, output: { image: "api:1" } },
      after: { input: { image: "api:2", name: "api", tags: { a: "1", b: "2" } } },
      unknown: { output: true },
    }),
  );
  assert.deepEqual(lines, [
    "~ terraform_data.a",
    '    input.image: "api:1" → "api:2"',
    '    input.tags.b: null → "2"',
    '    output: {"image": "api:1"} → (known after apply)',
  ]);
});

test("a secret that becomes another one is a change, one that stays is none", () => {
  const secrets = (password: string) => ({ password: { $redacted: password }, token: { $redacted: "same" } });
  const lines = changeLines(change({ actions: ["update"], before: secrets("ab12"), after: secrets("cd34") }));
  assert.deepEqual(lines, ["~ terraform_data.a", "    password: (sensitive), changes"]);
});

test("what forces a replacement says so", () => {
  const lines = changeLines(
    change({
      actions: ["delete", "create"],
      before: { cidr: "10.0.0.0/16" },
      after: { cidr: "10.1.0.0/16" },
      replacePaths: [["cidr"]],
    }),
  );
  assert.deepEqual(lines, ["-/+ terraform_data.a", '    cidr: "10.0.0.0/16" → "10.1.0.0/16"  # forces replacement']);
});

test("a long map is shown member by member", () => {
  const image = "registry.example.com/shop/storefront-with-a-long-name:2.0.1";
  const lines = changeLines(
    change({
      after: { input: { image, replicas: 2, tags: { team: "shop" }, note: null } },
      unknown: { input: { url: true } },
    }),
  );
  assert.deepEqual(lines, [
    "+ terraform_data.a",
    `    input.image = "${image}"`,
    "    input.replicas = 2",
    '    input.tags = {"team": "shop"}',
    "    input.url = (known after apply)",
  ]);
});
