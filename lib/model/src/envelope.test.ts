import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Finding } from "./change-set.ts";
import {
  checkEnvelope,
  checkSavedPlanInputs,
  type EnvelopeContext,
  type EnvelopeRule,
  isMilderOrEqual,
} from "./envelope.ts";
import type { JsonObject, JsonValue } from "./json-value.ts";
import { type ChangeActions, type ResourceChange, summarizeChanges, type UnitPlan } from "./unit-plan.ts";

const ACTIONS: readonly ChangeActions[] = [
  ["no-op"],
  ["read"],
  ["create"],
  ["update"],
  ["delete"],
  ["forget"],
  ["delete", "create"],
  ["create", "delete"],
];

const ALLOWED: EnvelopeContext = {
  policy: { verdict: "allow", denials: [], warnings: [] },
  approvedWarnings: [],
  sensitivePaths: [],
};

const key = fc.constantFrom("a", "b", "c", "tags", "__proto__");
const leaf = fc.oneof(fc.constant(null), fc.boolean(), fc.integer(), fc.string({ maxLength: 5 }));
const { tree } = fc.letrec<{ tree: JsonValue }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leaf,
    fc.array(tie("tree"), { maxLength: 3 }),
    fc
      .uniqueArray(fc.tuple(key, tie("tree")), { maxLength: 3, selector: ([name]) => name })
      .map((members): JsonValue => objectOf(members)),
  ),
}));
const values = fc
  .uniqueArray(fc.tuple(key, tree), { minLength: 1, maxLength: 4, selector: ([name]) => name })
  .map(objectOf);

/** Unlike an assignment, keeps `__proto__` a member like any other. */
function objectOf(members: readonly (readonly [string, JsonValue])[]): JsonObject {
  return Object.fromEntries(members);
}

/** A mask of the same shape, with some values marked unknown. */
function maskOf(value: JsonValue, marks: () => boolean): JsonValue {
  if (marks()) return true;
  if (Array.isArray(value)) return value.map((item: JsonValue) => maskOf(item, marks));
  if (typeof value === "object" && value !== null)
    return objectOf(Object.entries(value).map(([name, member]) => [name, maskOf(member, marks)]));
  return false;
}

/** The value with everything unknown put in anew. */
function fill(value: JsonValue, mask: JsonValue, invent: () => JsonValue): JsonValue {
  if (mask === true) return invent();
  if (Array.isArray(value))
    return value.map((item: JsonValue, index) =>
      fill(item, Array.isArray(mask) ? (mask[index] ?? false) : false, invent),
    );
  if (typeof value === "object" && value !== null) {
    return objectOf(
      Object.entries(value).map(([name, member]) => [
        name,
        fill(
          member,
          typeof mask === "object" && mask !== null
            ? (Object.entries(mask).find(([other]) => other === name)?.[1] ?? false)
            : false,
          invent,
        ),
      ]),
    );
  }
  return value;
}

const change: fc.Arbitrary<ResourceChange> = fc
  .record({
    name: fc.constantFrom("x", "y", "z", "w"),
    actions: fc.constantFrom(...ACTIONS),
    before: values,
    after: values,
    marks: fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }),
  })
  .map(({ name, actions, before, after, marks }) => {
    let next = 0;
    const mark = (): boolean => marks[next++ % marks.length] === true && next > 1;
    return {
      address: `thing.${name}`,
      type: "thing",
      actions,
      before: actions[0] === "create" && actions.length === 1 ? null : before,
      after: actions.length === 1 && actions[0] === "delete" ? null : after,
      unknown: actions.length === 1 && actions[0] === "delete" ? false : maskOf(after, mark),
      sensitive: false,
      replacePaths: [],
    };
  });

const plan: fc.Arbitrary<UnitPlan> = fc
  .record({
    changes: fc.uniqueArray(change, { maxLength: 4, selector: ({ address }) => address }),
    hazards: fc.subarray(["h1", "h2"]),
    delta: fc.integer({ min: -1_000, max: 1_000 }),
  })
  .map(({ changes, hazards, delta }) =>
    planOf(changes, { hazards, cost: { monthlyDelta: `${delta}.50`, currency: "USD" } }),
  );

function planOf(changes: readonly ResourceChange[], more: Partial<UnitPlan> = {}): UnitPlan {
  return {
    address: "dev/app/web",
    status: "provisional",
    engine: "terraform",
    engineVersion: "1.11.0",
    destroy: false,
    summary: summarizeChanges(changes),
    changes: [...changes],
    drift: [],
    outputs: { url: { unknown: true, sensitive: false }, port: { unknown: false, sensitive: false, value: 80 } },
    locks: { providers: "sha256:1" },
    prior: { serial: 1, lineage: "l" },
    hazards: [],
    ...more,
  };
}

/** The real plan of a provisional one, with every unknown made known. */
function realOf(approved: UnitPlan, invent: () => JsonValue = () => "known"): UnitPlan {
  return {
    ...approved,
    status: "planned",
    changes: approved.changes.map((item) => ({
      ...item,
      after: fill(item.after, item.unknown, invent),
      unknown: false,
    })),
    outputs: {
      url: { unknown: false, sensitive: false, value: "https://x" },
      port: { unknown: false, sensitive: false, value: 80 },
    },
  };
}

function rulesOf(approved: UnitPlan, real: UnitPlan, context: EnvelopeContext = ALLOWED): EnvelopeRule[] {
  const verdict = checkEnvelope(approved, real, context);
  return verdict.within ? [] : [...new Set(verdict.violations.map(({ rule }) => rule))];
}

test("what was approved, with its unknowns known, is within", () => {
  fc.assert(
    fc.property(plan, fc.array(tree, { minLength: 1, maxLength: 8 }), (approved, inventions) => {
      let next = 0;
      assert.deepEqual(
        rulesOf(
          approved,
          realOf(approved, () => inventions[next++ % inventions.length] ?? null),
        ),
        [],
      );
    }),
    { numRuns: 3_000 },
  );
});

test("doing less is within: fewer resources, milder actions", () => {
  fc.assert(
    fc.property(plan, fc.array(fc.nat(20), { minLength: 8, maxLength: 8 }), (approved, choices) => {
      const real = realOf(approved);
      const less = real.changes.flatMap((item, index): ResourceChange[] => {
        const choice = choices[index] ?? 0;
        if (choice % 3 === 0) return [];
        const milder = ACTIONS.filter((actions) => isMilderOrEqual(item.actions, actions));
        return [{ ...item, actions: milder[choice % milder.length] ?? item.actions }];
      });
      assert.deepEqual(rulesOf(approved, { ...real, changes: less }), []);
    }),
    { numRuns: 3_000 },
  );
});

test("marking more of the approved plan unknown never takes a real plan out of it", () => {
  fc.assert(
    fc.property(plan, plan, fc.nat(), (approved, real, seed) => {
      const planned = { ...real, status: "planned" as const };
      if (!checkEnvelope(approved, planned, ALLOWED).within) return;
      const index = seed % Math.max(approved.changes.length, 1);
      const wider = approved.changes.map((item, at) => (at === index ? { ...item, unknown: true } : item));
      assert.deepEqual(rulesOf({ ...approved, changes: wider }, planned), []);
    }),
    { numRuns: 3_000 },
  );
});

test("milder is a partial order in which nothing is milder than no-op", () => {
  for (const a of ACTIONS) {
    assert.ok(isMilderOrEqual(a, a));
    assert.ok(isMilderOrEqual(a, ["no-op"]));
    for (const b of ACTIONS) {
      if (isMilderOrEqual(a, b) && isMilderOrEqual(b, a)) assert.deepEqual(a, b);
      for (const c of ACTIONS) if (isMilderOrEqual(a, b) && isMilderOrEqual(b, c)) assert.ok(isMilderOrEqual(a, c));
    }
  }
  assert.deepEqual(ACTIONS.filter((actions) => isMilderOrEqual(["delete", "create"], actions)).map(String), [
    "no-op",
    "update",
    "delete,create",
  ]);
  assert.ok(
    !isMilderOrEqual(["create"], ["update"]) &&
      !isMilderOrEqual(["update"], ["delete"]) &&
      !isMilderOrEqual(["delete"], ["forget"]),
  );
});

const BASE: ResourceChange = {
  address: "thing.x",
  type: "thing",
  provider: "p",
  actions: ["update"],
  before: { size: 1, tags: ["a"] },
  after: { size: 2, tags: ["a"], nested: { list: [1, 2] } },
  unknown: { id: true, nested: { later: true } },
  sensitive: false,
  replacePaths: [],
};
const APPROVED = planOf([BASE], { hazards: ["h"], cost: { monthlyDelta: "12.40", currency: "USD" } });
const REAL = realOf({
  ...APPROVED,
  changes: [{ ...BASE, after: { size: 2, tags: ["a"], nested: { list: [1, 2], later: 5 }, id: "i-1" } }],
});

function withChange(patch: Partial<ResourceChange>): UnitPlan {
  const [first = BASE] = REAL.changes;
  return { ...REAL, changes: [{ ...first, ...patch }] };
}

const AFTER = { size: 2, tags: ["a"], nested: { list: [1, 2], later: 5 }, id: "i-1" };
const WARNING: Finding = { namespace: "main", rule: "warn", message: "m", metadata: {}, revision: "r" };

/** Each changes one thing about the real plan, and names the rule that must refuse it. */
const MUTATIONS: readonly (readonly [string, EnvelopeRule, UnitPlan, EnvelopeContext?])[] = [
  ["another unit", "unit", { ...REAL, address: "dev/app/other" }],
  ["a destroy", "unit", { ...REAL, destroy: true }],
  ["a provisional plan", "status", { ...REAL, status: "provisional" }],
  ["a deferred plan", "status", { ...REAL, status: "deferred" }],
  ["a failed plan", "status", { ...REAL, status: "failed" }],
  ["another engine", "engine", { ...REAL, engine: "pulumi" }],
  ["another engine version", "engine", { ...REAL, engineVersion: "1.11.1" }],
  ["another lock", "locks", { ...REAL, locks: { providers: "sha256:2" } }],
  ["a lock gone", "locks", { ...REAL, locks: {} }],
  ["a lock more", "locks", { ...REAL, locks: { ...REAL.locks, modules: "sha256:3" } }],
  ["another resource", "resource", { ...REAL, changes: [...REAL.changes, { ...BASE, address: "thing.y" }] }],
  ["a resource twice", "resource", { ...REAL, changes: [...REAL.changes, ...REAL.changes] }],
  ["another type", "resource", withChange({ type: "other" })],
  ["another provider", "resource", withChange({ provider: "q" })],
  ["a resource moved", "resource", withChange({ previousAddress: "thing.z" })],
  ["a replacement", "action", withChange({ actions: ["delete", "create"] })],
  ["a deletion", "action", withChange({ actions: ["delete"] })],
  ["a creation", "action", withChange({ actions: ["create"] })],
  ["another value before", "before", withChange({ before: { size: 1, tags: ["b"] } })],
  ["another value", "value", withChange({ after: { ...AFTER, size: 3 } })],
  ["a number as text", "value", withChange({ after: { ...AFTER, size: "2" } })],
  ["a value gone", "value", withChange({ after: { tags: ["a"], nested: AFTER.nested, id: "i" } })],
  ["a value more", "value", withChange({ after: { ...AFTER, extra: 1 } })],
  ["a null more", "value", withChange({ after: { ...AFTER, extra: null } })],
  ["another element", "value", withChange({ after: { ...AFTER, tags: ["b"] } })],
  ["an element more", "value", withChange({ after: { ...AFTER, tags: ["a", "b"] } })],
  ["an element less", "value", withChange({ after: { ...AFTER, tags: [] } })],
  ["elements swapped", "value", withChange({ after: { ...AFTER, nested: { ...AFTER.nested, list: [2, 1] } } })],
  ["a map for a list", "value", withChange({ after: { ...AFTER, tags: { 0: "a" } } })],
  ["a known value unknown", "value", withChange({ unknown: { size: true } })],
  ["a whole map unknown", "value", withChange({ unknown: { nested: true } })],
  [
    "an output more",
    "output",
    { ...REAL, outputs: { ...REAL.outputs, more: { unknown: false, sensitive: false, value: 1 } } },
  ],
  [
    "another output",
    "output",
    { ...REAL, outputs: { ...REAL.outputs, port: { unknown: false, sensitive: false, value: 81 } } },
  ],
  [
    "a known output unknown",
    "output",
    { ...REAL, outputs: { ...REAL.outputs, port: { unknown: true, sensitive: false } } },
  ],
  ["a denial", "policy", REAL, { ...ALLOWED, policy: { verdict: "deny", denials: [WARNING], warnings: [] } }],
  ["a bare deny", "policy", REAL, { ...ALLOWED, policy: { verdict: "deny", denials: [], warnings: [] } }],
  ["a new warning", "warning", REAL, { ...ALLOWED, policy: { verdict: "allow", denials: [], warnings: [WARNING] } }],
  ["a new demand", "policy", REAL, { ...ALLOWED, newDemands: ["a rule asks for it"] }],
  ["a new hazard", "hazard", { ...REAL, hazards: ["h", "new"] }],
  ["a higher cost", "cost", { ...REAL, cost: { monthlyDelta: "12.41", currency: "USD" } }],
  ["another currency", "cost", { ...REAL, cost: { monthlyDelta: "1.00", currency: "EUR" } }],
  ["a cost that is no amount", "cost", { ...REAL, cost: { monthlyDelta: "1e1", currency: "USD" } }],
  [
    "a sensitive path unknown",
    "sensitivePath",
    REAL,
    { ...ALLOWED, sensitivePaths: [{ resource: "thing.x", path: "id" }] },
  ],
  [
    "a sensitive path inside an unknown",
    "sensitivePath",
    REAL,
    { ...ALLOWED, sensitivePaths: [{ resource: "*", path: "nested.later.deep" }] },
  ],
  [
    "a sensitive path around an unknown",
    "sensitivePath",
    REAL,
    { ...ALLOWED, sensitivePaths: [{ resource: "thing.x", path: "nested" }] },
  ],
  [
    "a sensitive path by pattern",
    "sensitivePath",
    REAL,
    { ...ALLOWED, sensitivePaths: [{ resource: "thing.x", path: "*.later" }] },
  ],
];

test("the plan that the mutations start from is within", () => {
  assert.deepEqual(rulesOf(APPROVED, REAL), []);
  const seen = {
    ...ALLOWED,
    policy: { ...ALLOWED.policy, warnings: [WARNING] },
    approvedWarnings: [{ ...WARNING, revision: "other" }],
  };
  assert.deepEqual(rulesOf(APPROVED, REAL, seen), [], "a warning that was seen");
  assert.deepEqual(
    rulesOf(APPROVED, REAL, { ...ALLOWED, sensitivePaths: [{ resource: "thing.x", path: "size" }] }),
    [],
    "a sensitive path that was known",
  );
  assert.deepEqual(
    rulesOf(APPROVED, { ...REAL, cost: { monthlyDelta: "12.4", currency: "USD" } }),
    [],
    "the same cost",
  );
});

for (const [name, rule, real, context] of MUTATIONS) {
  test(`refuses ${name}`, () => assert.deepEqual(rulesOf(APPROVED, real, context), [rule]));
}

for (const status of ["deferred", "failed"] as const) {
  test(`nothing is within a ${status} plan`, () =>
    assert.deepEqual(rulesOf({ ...APPROVED, status }, REAL), ["status"]));
}

test("a sensitive output that stops being sensitive is refused", () => {
  const approved = { ...APPROVED, outputs: { ...APPROVED.outputs, url: { unknown: true, sensitive: true } as const } };
  assert.deepEqual(rulesOf(approved, REAL), ["output"]);
});

test("a saved plan goes with its own inputs and no others", () => {
  const planned = {
    size: 1,
    list: [1, { a: null }],
    secret: { $xcf: "secret", ref: "secret://env/A" },
    hidden: { $xcf: "sensitive", address: "dev/a/b", output: "o", hmac: "1" },
  } as const;
  assert.deepEqual(checkSavedPlanInputs(planned, { ...planned }), { within: true });
  const others: Record<string, typeof planned | object> = {
    "another value": { ...planned, size: 2 },
    "one less": { list: planned.list, secret: planned.secret, hidden: planned.hidden },
    "one more": { ...planned, extra: null },
    "another secret": { ...planned, hidden: { ...planned.hidden, hmac: "2" } },
    "an unknown": { ...planned, size: { $xcf: "unknown", address: "dev/a/b", output: "o", sensitive: false } },
    "a reference": { ...planned, size: { $xcf: "output", address: "dev/a/b", output: "o" } },
  };
  for (const [name, current] of Object.entries(others)) {
    assert.equal(
      checkSavedPlanInputs(planned, current as Parameters<typeof checkSavedPlanInputs>[1]).within,
      false,
      name,
    );
  }
  const unknown = { size: { $xcf: "unknown", address: "dev/a/b", output: "o", sensitive: false } } as const;
  assert.equal(checkSavedPlanInputs(unknown, unknown).within, false, "unknown both times");
});
