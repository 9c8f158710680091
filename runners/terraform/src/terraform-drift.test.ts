import assert from "node:assert/strict";
import { it } from "node:test";
import type { ResourceChange } from "@xcloudflow/model/unit-plan";
import { withoutIgnored } from "./terraform-drift.ts";

const drift = (address: string, before: ResourceChange["before"], after: ResourceChange["after"]): ResourceChange => ({
  address,
  type: "x",
  actions: ["update"],
  before,
  after,
  unknown: {},
  sensitive: {},
  replacePaths: [],
});

it("ignores whole resources, patterns, and resources of which only ignored attributes changed", () => {
  const all = [
    drift("x.a", { tags: 1, size: 1 }, { tags: 2, size: 1 }),
    drift("x.b", { tags: 1, size: 1 }, { tags: 2, size: 2 }),
    drift('x.c["k"]', null, {}),
  ];
  const left = (ignored: string[]): string[] => withoutIgnored(all, ignored).map(({ address }) => address);
  assert.deepEqual(left([]), ["x.a", "x.b", 'x.c["k"]']);
  assert.deepEqual(left(["x.a"]), ["x.b", 'x.c["k"]']);
  assert.deepEqual(left(["x.*.tags"]), ["x.b", 'x.c["k"]']);
  assert.deepEqual(left(["x.*.tags", "x.b.size"]), ['x.c["k"]']);
  assert.deepEqual(left(['x.c["*"]']), ["x.a", "x.b"]);
  assert.deepEqual(left(["x.[a-b]"]), ["x.a", "x.b", 'x.c["k"]'], "only * is special");
});
