import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseResourceAddress, type ResourceAddress } from "./resource-address.ts";

const CASES: readonly (readonly [string, ResourceAddress])[] = [
  ["aws_instance.web", { mode: "managed", type: "aws_instance", name: "web" }],
  ["aws_instance.web[0]", { mode: "managed", type: "aws_instance", name: "web", index: 0 }],
  ["data.aws_ami.this", { mode: "data", type: "aws_ami", name: "this" }],
  [
    'module.net["a.b"].module.sub[1].data.aws_ami.this["k]"]',
    { moduleAddress: 'module.net["a.b"].module.sub[1]', mode: "data", type: "aws_ami", name: "this", index: "k]" },
  ],
  [
    "module.module.module.data.aws_x.data",
    { moduleAddress: "module.module.module.data", mode: "managed", type: "aws_x", name: "data" },
  ],
  ['a.b["q\\"\\\\\\n\\u00e9 $${x} %%{y}"]', { mode: "managed", type: "a", name: "b", index: 'q"\\\né ${x} %{y}' }],
];

for (const [text, parts] of CASES)
  test(`${text} is taken apart`, () => assert.deepEqual(parseResourceAddress(text), parts));

test("names of other engines are no addresses of Terraform", () => {
  for (const text of [
    "",
    "web",
    "urn:pulumi:dev::shop::aws:s3/bucket:Bucket::b",
    "apps/v1/Deployment/shop/web",
    "a.b.c",
    "a[0].b",
    'a.b["open',
    "module.a",
    "module.a.module.b",
    "data.x",
    "a.b[0]x",
    "a..b",
  ])
    assert.equal(parseResourceAddress(text), undefined, text);
});

const identifier = fc.stringMatching(/^[a-z_][a-z0-9_-]{0,6}$/);
const index = fc.option(
  fc.oneof(
    fc.nat(),
    fc.string({ unit: "grapheme", maxLength: 8 }).filter((key) => !/[$%]/.test(key)),
  ),
  { nil: undefined },
);

function print(index: string | number | undefined): string {
  return index === undefined
    ? ""
    : `[${JSON.stringify(index).replaceAll(/\\[bf]/g, (code) => (code === "\\b" ? "\\u0008" : "\\u000c"))}]`;
}

test("what is printed is read again, whatever keys hold", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(identifier, index), { maxLength: 3 }),
      fc.boolean(),
      fc.tuple(identifier, identifier, index).filter(([type]) => type !== "module" && type !== "data"),
      (modules, isData, [type, name, key]) => {
        const moduleAddress = modules.map(([module, at]) => `module.${module}${print(at)}`).join(".");
        const resource = `${isData ? "data." : ""}${type}.${name}${print(key)}`;
        const text = moduleAddress === "" ? resource : `${moduleAddress}.${resource}`;
        assert.deepEqual(parseResourceAddress(text), {
          ...(moduleAddress === "" ? {} : { moduleAddress }),
          mode: isData ? "data" : "managed",
          type,
          name,
          ...(key === undefined ? {} : { index: key }),
        });
      },
    ),
  );
});
