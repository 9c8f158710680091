import assert from "node:assert/strict";
import { test } from "node:test";
import { keyServicesOf, sopsFormatOf } from "./sops-metadata.ts";

test("formats are told by the file's name", () => {
  assert.deepEqual(["a/b.yaml", "b.YML", "c.json", "prod.env", ".env", "d.ini", "cert.pem"].map(sopsFormatOf), [
    "yaml",
    "yaml",
    "json",
    "dotenv",
    "dotenv",
    "ini",
    "binary",
  ]);
});

test("the key services of a file are seen in every format, also inside key groups", () => {
  const cases = [
    ["yaml", "a: ENC[x]\nsops:\n  kms: []\n  age:\n    - recipient: age1x\n  hc_vault: []\n", ["age"]],
    [
      "yaml",
      "a: ENC[x]\nsops:\n  age: [{recipient: age1x}]\n  hc_vault: [{vault_address: 'http://10.0.0.1'}]\n",
      ["age", "hc_vault"],
    ],
    ["yaml", "sops:\n  key_groups:\n    - kms: [{arn: 'arn:aws:kms:x'}]\n", ["kms"]],
    ["json", '{"sops":{"age":[{"recipient":"age1x"}],"pgp":null}}', ["age"]],
    ["binary", '{"data":"ENC[x]","sops":{"azure_kv":[{"name":"x"}]}}', ["azure_kv"]],
    [
      "dotenv",
      "A=ENC[x]\nsops_age__list_0__map_recipient=age1x\nsops_hc_vault__list_0__map_vault_address=http://x\n",
      ["age", "hc_vault"],
    ],
    ["ini", "[sops]\nage__list_0__map_recipient = age1x\ngcp_kms__list_0__map_resource_id = x\n", ["age", "gcp_kms"]],
  ] as const;
  for (const [format, text, services] of cases) assert.deepEqual(keyServicesOf(text, format), services, text);
});

test("what is not encrypted by SOPS says so", () => {
  for (const [format, text] of [
    ["yaml", "password: plain\n"],
    ["yaml", "{{{"],
    ["json", '{"sops":"x"}'],
    ["dotenv", "A=plain\n"],
    ["ini", "[a]\nb = c\n"],
    ["binary", "PEM"],
  ] as const) {
    assert.equal(keyServicesOf(text, format), undefined, text);
  }
});

test("a document that expands without end is not followed", () => {
  const bomb = [
    "a: &a [x,x,x,x,x,x,x,x,x]",
    ...Array.from(
      { length: 8 },
      (_, i) =>
        `l${i}: &l${i} [${Array(9)
          .fill(i === 0 ? "*a" : `*l${i - 1}`)
          .join(",")}]`,
    ),
  ].join("\n");
  assert.equal(keyServicesOf(bomb, "yaml"), undefined);
});
