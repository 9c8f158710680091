import assert from "node:assert/strict";
import { test } from "node:test";
import type { Compilation } from "@xcloudflow/model/compilation";
import { makeRepository } from "./git-fixture-cli.ts";
import { composition, environment, shopFiles } from "./monorepo-fixture.ts";
import { makePlanner } from "./planner-fixture.ts";

function selected(compilation: Compilation): Record<string, string> {
  return Object.fromEntries(
    compilation.units.filter((unit) => unit.selected).map(({ address, reason }) => [address, reason]),
  );
}

test("a first commit is new as a whole, in order of its references", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  const head = repository.commit(shopFiles());
  const compilation = await planner.compile({ repository: repository.directory });
  assert.equal(compilation.commit, head);
  assert.equal(compilation.environment, "dev");
  assert.deepEqual(selected(compilation), {
    "dev/network/vpc": "new",
    "dev/payments/db": "new",
    "dev/shop/web": "new",
  });
  assert.deepEqual(compilation.edges, [
    { from: "dev/network/vpc", to: "dev/payments/db" },
    { from: "dev/payments/db", to: "dev/shop/web" },
  ]);
  assert.deepEqual(compilation.units[1]?.inputs, {
    subnets: { $xcf: "output", address: "dev/network/vpc", output: "subnets" },
  });
  for (const unit of compilation.units)
    assert.ok(planner.artefacts.has(unit.module.archive), `${unit.address} has its archive stored`);
});

test("after an apply nothing is selected, and touching one module selects exactly it and its dependants", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  const first = repository.commit(shopFiles());
  planner.apply(await planner.compile({ repository: repository.directory }));
  assert.deepEqual(selected(await planner.compile({ repository: repository.directory, governanceCommit: first })), {});
  // A module that another one includes by its source.
  repository.commit({ "modules/naming/main.tf": 'output "name" {\n  value = "m"\n}\n' });
  const compilation = await planner.compile({ repository: repository.directory, governanceCommit: first });
  assert.deepEqual(selected(compilation), { "dev/payments/db": "changed", "dev/shop/web": "dependency" });
  assert.deepEqual(compilation.governance.changes, []);
});

test("a commit that moves lines, comments or unrelated files selects nothing", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  const files = shopFiles();
  repository.commit(files);
  planner.apply(await planner.compile({ repository: repository.directory }));
  repository.commit({
    "compositions/payments.yaml": `# a comment\n\n${files["compositions/payments.yaml"]}`,
    "README.md": "hello",
  });
  assert.deepEqual(selected(await planner.compile({ repository: repository.directory })), {});
});

test("a vanished unit is destroyed with what it was applied with, after its consumers have let go", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  repository.commit(shopFiles());
  const before = await planner.compile({ repository: repository.directory });
  planner.apply(before);
  repository.commit({
    "envs/dev/environment.yaml": environment("dev", "development", ["network", "shop"]),
    "compositions/payments.yaml": null,
    "compositions/shop.yaml": composition("shop", "Application", [
      { name: "web", ref: "modules/web", inputs: { url: "fixed" } },
    ]),
    "modules/db": null,
  });
  const compilation = await planner.compile({ repository: repository.directory });
  assert.deepEqual(selected(compilation), { "dev/payments/db": "removed", "dev/shop/web": "changed" });
  const gone = compilation.units.find(({ address }) => address === "dev/payments/db");
  assert.equal(gone?.action, "destroy");
  assert.deepEqual(gone?.module, before.units.find(({ address }) => address === "dev/payments/db")?.module);
  assert.deepEqual(
    compilation.edges.filter(({ from, to }) => from === "dev/payments/db" || to === "dev/payments/db"),
    [
      { from: "dev/network/vpc", to: "dev/payments/db" },
      { from: "dev/payments/db", to: "dev/shop/web" },
    ],
  );
});

test("taking out what was between two units is no circle", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  repository.commit(shopFiles());
  planner.apply(await planner.compile({ repository: repository.directory }));
  repository.commit({
    "envs/dev/environment.yaml": environment("dev", "development", ["network", "shop"]),
    "compositions/shop.yaml": composition("shop", "Application", [
      { name: "web", ref: "modules/web", inputs: { url: "${outputs.network.vpc.subnets}" } },
    ]),
  });
  const { edges } = await planner.compile({ repository: repository.directory });
  assert.deepEqual(edges, [
    { from: "dev/network/vpc", to: "dev/shop/web" },
    { from: "dev/payments/db", to: "dev/shop/web" },
  ]);
});

test("--only takes what it needs, --replace adds to what is affected, --destroy takes what is applied", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  repository.commit(shopFiles());
  const only = await planner.compile({ repository: repository.directory, only: ["dev/payments/db"] });
  assert.deepEqual(
    Object.fromEntries(only.units.map(({ address, selected: chosen, reason }) => [address, `${chosen} ${reason}`])),
    {
      "dev/network/vpc": "true new",
      "dev/payments/db": "true new",
      "dev/shop/web": "false excluded",
    },
  );
  planner.apply(await planner.compile({ repository: repository.directory }));
  const replaced = await planner.compile({
    repository: repository.directory,
    replace: ["dev/shop/web#terraform_data.x"],
  });
  assert.deepEqual(selected(replaced), { "dev/shop/web": "requested" });
  assert.deepEqual(replaced.units.find(({ address }) => address === "dev/shop/web")?.replace, ["terraform_data.x"]);
  const destroyed = await planner.compile({ repository: repository.directory, destroy: true });
  assert.deepEqual(
    destroyed.units.map(({ action, reason }) => `${action} ${reason}`),
    ["destroy requested", "destroy requested", "destroy requested"],
  );
  const partly = await planner.compile({ repository: repository.directory, destroy: true, only: ["dev/payments/db"] });
  assert.deepEqual(Object.keys(selected(partly)), ["dev/payments/db", "dev/shop/web"]);
  await assert.rejects(planner.compile({ repository: repository.directory, only: ["dev/payments/bd"] }), {
    code: "UNIT_UNKNOWN",
    hint: "did you mean dev/payments/db?",
  });
});

test("a moved unit takes over its pointer and nothing is destroyed", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  repository.commit(shopFiles());
  planner.apply(await planner.compile({ repository: repository.directory }));
  repository.commit({
    "compositions/shop.yaml": composition(
      "shop",
      "Application",
      [{ name: "site", ref: "modules/web", inputs: { url: "${outputs.payments.db.url}" } }],
      { moved: [{ from: "web", to: "site" }] },
    ),
  });
  const compilation = await planner.compile({ repository: repository.directory });
  assert.deepEqual(selected(compilation), { "dev/shop/site": "changed" });
  assert.equal(compilation.units.find(({ address }) => address === "dev/shop/site")?.movedFrom, "dev/shop/web");
  planner.apply(compilation);
  assert.deepEqual(selected(await planner.compile({ repository: repository.directory })), {});
});

test("all problems of a commit are told at once, with their places", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  repository.commit({
    ...shopFiles(),
    "compositions/payments.yaml": composition("payments", "Platfrom", [{ name: "db", ref: "modules/db", inputs: {} }]),
    "compositions/shop.yaml": composition("shop", "Application", [
      { name: "web", ref: "modules/web", inputs: { url: "${outputs.nowhere.db.url}" } },
    ]),
  });
  await assert.rejects(
    planner.compile({ repository: repository.directory }),
    (error: { problems: { file: string; line: number; code: string }[] }) => {
      const files = new Set(error.problems.map(({ file }) => file));
      assert.ok(
        files.has("compositions/payments.yaml") && files.has("compositions/shop.yaml"),
        JSON.stringify(error.problems),
      );
      assert.ok(error.problems.every(({ line }) => line > 0));
      return true;
    },
  );
});

test("a module's source that leads nowhere is a problem at its line", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  repository.commit({
    ...shopFiles(),
    "modules/web/main.tf":
      'variable "url" {}\nmodule "x" {\n  source = "../../../etc"\n}\nmodule "y" {\n  source = "../missing"\n}\n',
  });
  await assert.rejects(
    planner.compile({ repository: repository.directory }),
    (error: { problems: { file: string; line: number; col: number; code: string }[] }) => {
      assert.deepEqual(
        error.problems.map(({ file, line, col, code }) => [file, line, col, code]),
        [
          ["modules/web/main.tf", 3, 12, "SOURCE_OUTSIDE"],
          ["modules/web/main.tf", 6, 12, "SOURCE_MISSING"],
        ],
      );
      return true;
    },
  );
});

test("the dirty work tree is planned only when asked for", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  const head = repository.commit({ ...shopFiles(), ".gitignore": "*.log\n" });
  planner.apply(await planner.compile({ repository: repository.directory }));
  repository.write({ "modules/web/extra.tf": "# new\n", "modules/web/debug.log": "ignored" });
  assert.deepEqual(selected(await planner.compile({ repository: repository.directory })), {});
  const dirty = await planner.compile({ repository: repository.directory, dirty: true });
  assert.deepEqual(selected(dirty), { "dev/shop/web": "changed" });
  assert.equal(dirty.commit, head);
  assert.equal(dirty.dirty, true);
  repository.write({ "modules/web/extra.tf": null });
  assert.deepEqual(selected(await planner.compile({ repository: repository.directory, dirty: true })), {});
});

test("drift compiles what was applied, never the head", async () => {
  using repository = makeRepository();
  using planner = makePlanner();
  repository.commit(shopFiles());
  const first = await planner.compile({ repository: repository.directory });
  planner.apply(first);
  repository.commit({ "modules/web/main.tf": "# other\n" });
  const drift = await planner.compile({ repository: repository.directory, appliedOnly: true });
  assert.deepEqual(
    drift.units.map(({ module, reason, action }) => [module.contentHash, reason, action]),
    first.units.map(({ module }) => [module.contentHash, "drift", "apply"]),
  );
  assert.deepEqual(drift.edges, first.edges);
});
