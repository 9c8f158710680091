import assert from "node:assert/strict";
import { test } from "node:test";
import { type ChangeSet, changeSetSchema } from "@xcloudflow/model/change-set";
import { changeSetDigest, hasTrueDigest } from "@xcloudflow/model/change-set-digest";
import type { JsonValue } from "@xcloudflow/model/json-value";
import { isJsonObject } from "@xcloudflow/model/json-value";
import { makeRepository } from "./git-fixture-cli.ts";
import { composition, document, environment, shopFiles } from "./monorepo-fixture.ts";
import { makePlanner } from "./planner-fixture.ts";

const DB = { name: "db", ref: "modules/db" };

/** What a commit after the approval changes, and what is then said of the approved ChangeSet. */
const CASES: readonly {
  readonly name: string;
  readonly files: Record<string, string | null>;
  readonly differs: readonly string[];
}[] = [
  { name: "nothing", files: {}, differs: [] },
  { name: "an unrelated file", files: { "docs/README.md": "hello" }, differs: [] },
  {
    name: "a comment above a composition",
    files: { "compositions/payments.yaml": `# why\n${shopFiles()["compositions/payments.yaml"]}` },
    differs: [],
  },
  {
    name: "another environment",
    files: { "envs/lab/environment.yaml": environment("lab", "development", ["network"]) },
    differs: [],
  },
  {
    name: "a composition that nobody assembles",
    files: {
      "compositions/x.yaml": composition("x", "Application", [{ name: "m", ref: "modules/web", inputs: { url: "u" } }]),
    },
    differs: [],
  },
  {
    name: "a unit more",
    files: {
      "compositions/x.yaml": composition("x", "Application", [{ name: "m", ref: "modules/web", inputs: { url: "u" } }]),
      "envs/dev/environment.yaml": environment("dev", "development", ["network", "payments", "shop", "x"]),
    },
    differs: [],
  },
  {
    name: "a module",
    files: { "modules/db/main.tf": 'variable "subnets" {}\noutput "url" {\n  value = "y"\n}\n' },
    differs: ["dev/payments/db content"],
  },
  {
    name: "an included module",
    files: { "modules/naming/main.tf": "# other\n" },
    differs: ["dev/payments/db content"],
  },
  {
    name: "a module's lock file",
    files: { "modules/vpc/.terraform.lock.hcl": "# lock\n" },
    differs: ["dev/network/vpc content"],
  },
  {
    name: "an input",
    files: {
      "compositions/payments.yaml": composition("payments", "Platform", [{ ...DB, inputs: { subnets: ["x"] } }]),
    },
    differs: ["dev/payments/db inputs"],
  },
  {
    name: "a dependency",
    files: {
      "compositions/network.yaml": composition("network", "Foundation", [
        { name: "vpc", ref: "modules/vpc", inputs: {} },
      ]),
      "compositions/shop.yaml": composition(
        "shop",
        "Application",
        [{ name: "web", ref: "modules/web", inputs: { url: "${outputs.payments.db.url}" } }],
        { dependencies: [{ ref: "compositions/network" }] },
      ),
    },
    differs: ["dev/shop/web inputs"],
  },
  {
    name: "engine settings",
    files: { ".xcf.yaml": document("Platform", "p", { engines: { terraform: { config: { parallelism: 3 } } } }) },
    differs: ["dev/network/vpc inputs", "dev/payments/db inputs", "dev/shop/web inputs", "governance"],
  },
  {
    name: "a gate",
    files: {
      "compositions/payments.yaml": composition(
        "payments",
        "Platform",
        [{ ...DB, inputs: { subnets: "${outputs.network.vpc.subnets}" } }],
        { approvalPolicy: "forced" },
      ),
    },
    differs: ["dev/payments/db route"],
  },
  {
    name: "a policy",
    files: { "policies/main.rego": "package main\n\ndeny contains msg if false\n" },
    differs: ["policy", "governance"],
  },
  {
    name: "the approvers",
    files: {
      "envs/dev/environment.yaml": environment("dev", "development", ["network", "payments", "shop"], {
        approvals: { quorum: 2 },
      }),
    },
    differs: ["dev/network/vpc route", "dev/payments/db route", "dev/shop/web route", "governance"],
  },
  {
    name: "a unit removed",
    files: {
      "envs/dev/environment.yaml": environment("dev", "development", ["network", "payments"]),
      "compositions/shop.yaml": null,
    },
    differs: ["dev/shop/web vanished"],
  },
  {
    name: "an engine",
    files: {
      "compositions/shop.yaml": composition("shop", "Application", [
        { name: "web", ref: "modules/web", inputs: { url: "${outputs.payments.db.url}" }, engine: "pulumi" } as never,
      ]),
    },
    differs: ["dev/shop/web engine", "dev/shop/web route"],
  },
];

for (const { name, files, differs } of CASES) {
  test(`after ${name} changed, the approved ChangeSet differs in ${differs.length === 0 ? "nothing" : differs.join(", ")}`, async () => {
    using repository = makeRepository();
    using planner = makePlanner();
    repository.commit(shopFiles());
    const changeSet = await planner.assemble(await planner.compile({ repository: repository.directory }));
    repository.commit(files);
    assert.deepEqual(await planner.freshness(changeSet, repository.directory), differs);
  });
}

test("a ChangeSet that was partly applied is compared with what its commit still says", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  repository.commit(shopFiles());
  const compilation = await planner.compile({ repository: repository.directory });
  const changeSet = await planner.assemble(compilation);
  planner.apply(compilation, ["dev/network/vpc"]);
  assert.deepEqual(await planner.freshness(changeSet, repository.directory), []);
});

test("a removal is stale when the repository wants the unit again", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  const files = shopFiles();
  repository.commit(files);
  planner.apply(await planner.compile({ repository: repository.directory }));
  repository.commit({
    "envs/dev/environment.yaml": environment("dev", "development", ["network", "payments"]),
    "compositions/shop.yaml": null,
  });
  const changeSet = await planner.assemble(await planner.compile({ repository: repository.directory }));
  assert.deepEqual(
    changeSet.units.map(({ address, destroy }) => [address, destroy]),
    [["dev/shop/web", true]],
  );
  assert.deepEqual(await planner.freshness(changeSet, repository.directory), []);
  repository.commit({
    "envs/dev/environment.yaml": files["envs/dev/environment.yaml"] ?? "",
    "compositions/shop.yaml": files["compositions/shop.yaml"] ?? "",
  });
  assert.deepEqual(await planner.freshness(changeSet, repository.directory), ["dev/shop/web content"]);
});

async function fullChangeSet(): Promise<ChangeSet> {
  using repository = makeRepository();
  using planner = makePlanner();
  repository.commit({
    ...shopFiles(),
    "envs/dev/environment.yaml": environment("dev", "production", ["network", "payments", "shop"], {
      approvals: { groups: ["leads"], quorum: 2 },
      windows: [{ from: "22:00", to: "05:00" }],
    }),
  });
  const compilation = await planner.compile({ repository: repository.directory, replace: ["dev/payments/db#x"] });
  return planner.assemble(compilation, (plan) => ({
    ...plan,
    artefact: "sha256:a",
    artefactDigest: "b",
    locks: { providers: "sha256:c" },
    hazards: ["h"],
    cost: { monthlyDelta: "12.40", currency: "USD" },
    outputs: { url: { unknown: true, sensitive: false } },
    changes: [
      {
        address: "x.y",
        type: "x",
        provider: "p",
        actions: ["create"],
        before: null,
        after: { a: 1, b: [true, null] },
        unknown: { id: true },
        sensitive: {},
        replacePaths: [["a", 0]],
      },
    ],
  }));
}

/** Every way to change exactly one scalar, one length or one key of a JSON tree. */
function* mutations(value: JsonValue): Generator<{ readonly path: string; readonly value: JsonValue }> {
  if (Array.isArray(value)) {
    yield { path: "[+]", value: [...value, "added"] };
    for (const [index, item] of value.entries()) {
      yield { path: `[-${index}]`, value: value.toSpliced(index, 1) };
      for (const change of mutations(item))
        yield { path: `[${index}]${change.path}`, value: value.with(index, change.value) };
    }
  } else if (isJsonObject(value)) {
    yield { path: ".+", value: { ...value, added: 1 } };
    for (const [key, member] of Object.entries(value)) {
      yield { path: `.-${key}`, value: Object.fromEntries(Object.entries(value).filter(([name]) => name !== key)) };
      for (const change of mutations(member))
        yield { path: `.${key}${change.path}`, value: { ...value, [key]: change.value } };
    }
  } else if (typeof value === "string") yield { path: "~", value: `${value}x` };
  else if (typeof value === "number") yield { path: "~", value: value + 1 };
  else if (typeof value === "boolean") yield { path: "~", value: !value };
  else yield { path: "~", value: "no longer null" };
}

test("every single change of a ChangeSet changes its digest, but id, digest and createdAt", async () => {
  const changeSet = await fullChangeSet();
  assert.ok(hasTrueDigest(changeSet));
  assert.match(changeSet.digest, /^xcf1:sha256:[0-9a-f]{64}$/);
  let count = 0;
  for (const { path, value } of mutations(JSON.parse(JSON.stringify(changeSet)))) {
    const decidesNothing = /^\.-?(?:id|digest|createdAt)\b/.test(path);
    const mutated = changeSetDigest(value as unknown as ChangeSet);
    assert.equal(mutated === changeSet.digest, decidesNothing, path);
    count += 1;
  }
  assert.ok(count > 500, `${count} mutations`);
});

function reversed(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(reversed);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, member]) => [key, reversed(member)]),
  );
}

test("the order of keys does not change the digest", async () => {
  const changeSet = await fullChangeSet();
  const other = changeSetSchema.parse(reversed(JSON.parse(JSON.stringify(changeSet))));
  assert.equal(changeSetDigest(other), changeSet.digest);
});

test("plans handed in in another order give the same ChangeSet", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  repository.commit(shopFiles());
  const compilation = await planner.compile({ repository: repository.directory });
  const [a, b] = [
    await planner.assemble(compilation),
    await planner.assemble({
      ...compilation,
      units: compilation.units.toReversed(),
      edges: compilation.edges.toReversed(),
    }),
  ];
  assert.equal(a.digest, b.digest);
});
