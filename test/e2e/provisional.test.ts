import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { z } from "zod";
import { requireEngine } from "../support/engines.ts";
import { type LedgerUnit, ledgerMonorepo } from "../support/ledger-monorepo.ts";
import { createTestRepository, type TestRepository } from "../support/xcf-cli.ts";
import {
  expectCode,
  listRuns,
  planChange,
  planSomething,
  type ShownChangeSet,
  showRun,
} from "../support/xcf-documents.ts";

const { skip } = requireEngine("terraform");
const options = { skip };
const LEAD = { as: "lead@example.com/platform-leads" };
const valueSchema = z.record(z.string(), z.unknown());

let repository: TestRepository;
let ledger: string;

before(async () => {
  repository = await createTestRepository();
  ledger = join(repository.folder, "..", "ledger.txt");
  await writeFile(ledger, "");
  await writeFile(note(), "first");
});

after(() => repository.dispose());

function note(): string {
  return join(repository.folder, "..", "note.txt");
}

/** network ← database ← fleet; the fleet's size is known only when the database is there. */
function chain(generation: string): LedgerUnit[] {
  return [
    { name: "network", lifecycle: "Foundation", generation },
    { name: "database", lifecycle: "Platform", after: ["network"] },
    {
      name: "fleet",
      after: ["database"],
      more: `resource "terraform_data" "machine" {
  count = length(var.upstream[0]) > 3 ? 2 : 1
  input = var.upstream[0]
}
`,
    },
  ];
}

function unitOf(changeSet: ShownChangeSet, name: string): ShownChangeSet["units"][number] {
  const unit = changeSet.units.find((one) => one.address === `prod/${name}/unit`);
  assert.ok(unit !== undefined, `${name} is in ${changeSet.units.map((one) => one.address).join(", ")}`);
  return unit;
}

/** Of a unit's only change: its `input` before and after, and what of it is unknown. */
function inputOf(unit: ShownChangeSet["units"][number]): { before: unknown; after: unknown; unknown: unknown } {
  const change = unit.changes.find((one) => one.address === "terraform_data.this");
  const field = (value: unknown): unknown => valueSchema.safeParse(value).data?.["input"];
  return { before: field(change?.before), after: field(change?.after), unknown: field(change?.unknown) };
}

async function stateOf(name: string): Promise<{ id: string; input: Record<string, unknown>; instances: number }> {
  const { out } = expectCode(await repository.xcf(["state", "pull", `prod/${name}/unit`]), 0);
  const state = z
    .looseObject({
      resources: z.array(
        z.looseObject({ name: z.string(), instances: z.array(z.looseObject({ attributes: valueSchema })) }),
      ),
    })
    .parse(JSON.parse(out));
  const resource = state.resources.find((one) => one.name === "this");
  const attributes = resource?.instances[0]?.attributes ?? {};
  const input = z.looseObject({ value: valueSchema }).parse(attributes["input"]).value;
  return {
    id: z.string().parse(attributes["id"]),
    input,
    instances: state.resources.find((one) => one.name === "machine")?.instances.length ?? 0,
  };
}

/** Approves and applies; answers the id of the ChangeSet that an apply of exit code 3 asks people about. */
async function applyUntilAsked(id: string): Promise<string> {
  expectCode(await repository.xcf(["approve", id], LEAD), 0);
  const { out } = expectCode(await repository.xcf(["apply", id]), 3);
  const asked = /xcf approve (cs_\w+)/.exec(out)?.[1];
  assert.ok(asked !== undefined && asked !== id, out);
  return asked;
}

async function ledgerLines(): Promise<string[]> {
  return (await readFile(ledger, "utf8")).split("\n").filter(Boolean);
}

test(
  "a fresh downstream unit shows unknowns, a count on one is deferred, and real values are applied",
  options,
  async () => {
    await repository.commit(ledgerMonorepo(ledger, chain("1")));
    const changeSet = await planSomething(repository);
    assert.deepEqual(
      changeSet.units.map((unit) => [unit.address, unit.status]),
      [
        ["prod/database/unit", "provisional"],
        ["prod/fleet/unit", "deferred"],
        ["prod/network/unit", "planned"],
      ],
    );
    const database = inputOf(unitOf(changeSet, "database"));
    assert.deepEqual(database.after, { ledger, generation: "1", upstream: [null] });
    assert.deepEqual(database.unknown, { upstream: [true] });
    assert.deepEqual(unitOf(changeSet, "fleet").changes, [], "nothing is made up about a plan that cannot be made");

    const asked = await applyUntilAsked(changeSet.id);
    const real = expectCode(await repository.xcf(["show", asked, "-o", "json"]), 0);
    const [fleet] = (JSON.parse(real.out) as ShownChangeSet).units;
    assert.ok(fleet !== undefined);
    assert.equal(fleet.status, "planned");
    assert.equal(fleet.summary.create, 3);
    const { id: databaseId, input: databaseInput } = await stateOf("database");
    assert.deepEqual(inputOf(fleet).after, { ledger, generation: "1", upstream: [databaseId] });
    assert.deepEqual(
      await ledgerLines(),
      ["create network 1", "create database 1"],
      "nothing of the fleet before a word",
    );

    assert.match((await repository.xcf(["approve", asked])).err, /wrote part of this change/);
    expectCode(await repository.xcf(["approve", asked], LEAD), 0);
    expectCode(await repository.xcf(["apply", changeSet.id]), 0);
    assert.deepEqual(databaseInput["upstream"], [(await stateOf("network")).id]);
    assert.equal((await stateOf("fleet")).instances, 2);
    assert.deepEqual(await ledgerLines(), ["create network 1", "create database 1", "create fleet 1"]);
    assert.equal(await planChange(repository), undefined);
  },
);

test("with state present a provisional plan shows what was and that the new value is unknown", options, async () => {
  const old = { network: await stateOf("network"), database: await stateOf("database") };
  await repository.commit(ledgerMonorepo(ledger, chain("2")));
  const changeSet = await planSomething(repository);
  assert.equal(unitOf(changeSet, "network").summary.replace, 1);
  const database = unitOf(changeSet, "database");
  assert.equal(database.status, "provisional");
  assert.equal(database.summary.replace, 1);
  assert.deepEqual(inputOf(database), {
    before: { ledger, generation: "1", upstream: [old.network.id] },
    after: { ledger, generation: "1", upstream: [null] },
    unknown: { upstream: [true] },
  });
  assert.equal(unitOf(changeSet, "fleet").status, "deferred");

  const asked = await applyUntilAsked(changeSet.id);
  expectCode(await repository.xcf(["approve", asked], LEAD), 0);
  expectCode(await repository.xcf(["apply", changeSet.id]), 0);
  const [network, made, fleet] = [await stateOf("network"), await stateOf("database"), await stateOf("fleet")];
  assert.notEqual(network.id, old.network.id);
  assert.deepEqual([made.input["upstream"], fleet.input["upstream"]], [[network.id], [made.id]]);
  assert.equal(await planChange(repository), undefined);
});

test(
  "a real plan outside of what was approved stops for people, and a rejection leaves it undone",
  options,
  async () => {
    const noted = (generation: string): LedgerUnit[] => [
      { name: "network", lifecycle: "Foundation", generation },
      {
        name: "database",
        lifecycle: "Platform",
        after: ["network"],
        inputs: { note: JSON.stringify(note()) },
        more: 'resource "terraform_data" "note" {\n  input = [file(var.note), var.upstream]\n}\n',
      },
    ];
    await repository.git("rm", "-rq", "compositions/fleet.yaml", "modules/fleet");
    await repository.commit(ledgerMonorepo(ledger, noted("3")));
    const changeSet = await planSomething(repository);
    assert.equal(unitOf(changeSet, "database").status, "provisional");
    await writeFile(note(), "second");
    const asked = await applyUntilAsked(changeSet.id);
    const { out } = expectCode(await repository.xcf(["show", asked]), 0);
    assert.match(out, /not as approved/);

    expectCode(await repository.xcf(["reject", asked], LEAD), 0);
    const refused = await repository.xcf(["apply", changeSet.id]);
    assert.notEqual(refused.code, 0, refused.out);
    assert.deepEqual((await stateOf("database")).input["generation"], "1");
    const again = await planSomething(repository);
    assert.equal(unitOf(again, "database").status, "planned");
    expectCode(await repository.xcf(["approve", again.id], LEAD), 0);
    expectCode(await repository.xcf(["apply", again.id]), 0);
  },
);

test("vanished units are destroyed, consumers before what they consume", options, async () => {
  await writeFile(ledger, "");
  await repository.git("rm", "-rq", "compositions", "modules");
  await repository.commit(ledgerMonorepo(ledger, [{ name: "other" }]));
  const changeSet = await planSomething(repository);
  assert.equal(unitOf(changeSet, "network").summary.delete, 1);
  assert.equal(unitOf(changeSet, "database").summary.delete, 2);
  expectCode(await repository.xcf(["approve", changeSet.id], LEAD), 0);
  expectCode(await repository.xcf(["apply", changeSet.id]), 0);
  const destroyed = (await ledgerLines()).filter((line) => line.startsWith("destroy"));
  assert.deepEqual(destroyed, ["destroy database 1", "destroy network 3"]);
  assert.equal(await planChange(repository), undefined);
});

test(
  "--replace makes one unit anew, --only takes one of many, --destroy removes what was applied",
  options,
  async () => {
    const two = (generation: string): LedgerUnit[] => [
      { name: "other", generation },
      { name: "second", generation },
    ];
    await repository.commit(ledgerMonorepo(ledger, two("2")));
    const only = await planSomething(repository, ["--only", "prod/second/unit"]);
    assert.deepEqual(
      only.units.map((unit) => unit.address),
      ["prod/second/unit"],
    );
    expectCode(await repository.xcf(["apply", only.id]), 0);
    const rest = await planSomething(repository);
    assert.deepEqual(
      rest.units.filter((unit) => unit.status !== "unchanged").map((unit) => unit.address),
      ["prod/other/unit"],
    );
    expectCode(await repository.xcf(["approve", rest.id], LEAD), 0);
    expectCode(await repository.xcf(["apply", rest.id]), 0);

    const before = await stateOf("other");
    const replacing = await planSomething(repository, ["--replace", "prod/other/unit"]);
    assert.deepEqual(
      replacing.units.map((unit) => [unit.address, unit.summary.replace]),
      [["prod/other/unit", 1]],
    );
    expectCode(await repository.xcf(["approve", replacing.id], LEAD), 0);
    expectCode(await repository.xcf(["apply", replacing.id]), 0);
    assert.notEqual((await stateOf("other")).id, before.id);
    const [newest] = await listRuns(repository, 1);
    assert.deepEqual(
      (await showRun(repository, newest?.id ?? "")).steps.map((step) => step.reason),
      [undefined],
      "what verifies does not ask to replace again",
    );

    const destroying = await planSomething(repository, ["--destroy"]);
    assert.deepEqual(
      destroying.units.map((unit) => unit.summary.delete),
      [1, 1],
    );
    expectCode(await repository.xcf(["approve", destroying.id], LEAD), 0);
    expectCode(await repository.xcf(["apply", destroying.id]), 0);
    const { out } = expectCode(await repository.xcf(["state", "list", "-o", "json"]), 0);
    assert.ok(!out.includes('"resources": 1'), out);
  },
);
