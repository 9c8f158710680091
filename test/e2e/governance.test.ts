import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { z } from "zod";
import { requireEngine } from "../support/engines.ts";
import { createTestRepository, type TestRepository } from "../support/xcf-cli.ts";
import { changeSetSchema, expectCode } from "../support/xcf-documents.ts";

const { skip } = requireEngine("terraform");
const opa = requireEngine("opa");
const options = { skip: skip === false ? opa.skip : skip };
const DBA = { as: "dana@example.com/dba" };

const judgedSchema = changeSetSchema.extend({
  gates: z.array(z.looseObject({ kind: z.string(), groups: z.array(z.string()), reasons: z.array(z.string()) })),
  policy: z.looseObject({
    denials: z.array(z.looseObject({ namespace: z.string(), message: z.string() })),
    warnings: z.array(z.looseObject({ message: z.string() })),
  }),
});
type Judged = z.infer<typeof judgedSchema>;

const REASON = /^the approval rule "deletions" asks for it \(policies\/deletions\.yaml:4:3\)$/;
const ESTIMATE = /nobody has estimated the cost of .*: the budget "environment lab" judges without/;

let repository: TestRepository;

/** In development nobody is asked but by the rules in policies/. */
function composition(name: string, inputs: string): string {
  return `kind: Composition
metadata: {name: ${name}}
spec:
  lifecycle: Application
  modules: [{name: unit, ref: modules/${name}, inputs: ${inputs}}]
`;
}

function rule(name: string, actions: string): string {
  return `kind: ApprovalRule
metadata: {name: ${name}}
spec:
  when: {actions: [${actions}]}
  require: {approval: forced, groups: [dba]}
`;
}

const PRODUCER = `variable "generation" {}
resource "terraform_data" "this" {
  input = var.generation
}
output "kind" {
  value = terraform_data.this.output == "" ? "none" : "stable"
}
`;
const CONSUMER = `variable "kind" {}
variable "note" {}
resource "terraform_data" "this" {
  input            = var.note
  triggers_replace = var.kind
}
`;
const SPARE = 'resource "terraform_data" "spare" {}\n';

function environment(...compositions: readonly string[]): string {
  return `kind: Environment
metadata: {name: lab}
spec:
  tier: development
  budget: {monthly: 100, onExceed: deny}
  compositions: [${compositions.map((name) => `{ref: compositions/${name}}`).join(", ")}]
`;
}

function inputs(generation: number, note: string): Record<string, string> {
  return {
    "compositions/producer.yaml": composition("producer", `{generation: "${generation}"}`),
    "compositions/consumer.yaml": composition("consumer", `{kind: '\${outputs.producer.unit.kind}', note: ${note}}`),
  };
}

before(async () => {
  repository = await createTestRepository();
  await repository.commit({
    ".gitignore": ".xcf/\n",
    ".xcf.yaml": "kind: Platform\nmetadata: {name: platform}\nspec: {}\n",
    "envs/lab/environment.yaml": environment("producer", "consumer"),
    ...inputs(1, "first"),
    "modules/producer/main.tf": PRODUCER,
    "modules/consumer/main.tf": CONSUMER + SPARE,
    "policies/deletions.yaml": rule("deletions", "delete"),
    "policies/updates.yaml": rule("updates", "update").replace(
      "when: {",
      "match: {compositions: [consumer]}\n  when: {",
    ),
    "policies/whole.rego": `package changeset

deny contains sprintf("%d units would be destroyed at once", [count(going)]) if count(going) > 1

going contains unit.unit if {
	some unit in input.xcf.units
	unit.destroy
}
`,
  });
});

after(() => repository.dispose());

async function plan(code = 2): Promise<Judged> {
  const { out } = expectCode(await repository.xcf(["plan", "-o", "json"]), code);
  return judgedSchema.parse(JSON.parse(out));
}

async function show(id: string): Promise<Judged> {
  return judgedSchema.parse(JSON.parse(expectCode(await repository.xcf(["show", id, "-o", "json"]), 0).out));
}

test(
  "what no rule waits for is applied without asking, and a budget says that it knows no costs",
  options,
  async () => {
    const changeSet = await plan();
    assert.deepEqual(changeSet.gates, []);
    const [warning, ...others] = changeSet.policy.warnings;
    assert.match(warning?.message ?? "", ESTIMATE);
    assert.deepEqual(others, []);
    expectCode(await repository.xcf(["apply", changeSet.id]), 0);
  },
);

test("a rule about deletions asks its group once something is deleted", options, async () => {
  await repository.commit({ "modules/consumer/main.tf": CONSUMER });
  const changeSet = await plan();
  assert.equal(changeSet.gates.length, 1);
  const [gate] = changeSet.gates;
  assert.deepEqual(gate?.groups, ["dba"]);
  assert.match(gate?.reasons.join() ?? "", REASON);

  expectCode(await repository.xcf(["apply", changeSet.id]), 3);
  const stranger = await repository.xcf(["approve", changeSet.id], { as: "stranger@example.com/web" });
  assert.match(stranger.err, /none of the groups/);
  expectCode(await repository.xcf(["approve", changeSet.id], DBA), 0);
  expectCode(await repository.xcf(["apply", changeSet.id]), 0);
});

test("a real plan that a rule waits for asks, where the provisional one did not", options, async () => {
  await repository.commit(inputs(2, "second"));
  const changeSet = await plan();
  const consumer = changeSet.units.find(({ address }) => address === "lab/consumer/unit");
  assert.deepEqual([consumer?.status, consumer?.summary.replace], ["provisional", 1]);
  assert.deepEqual(changeSet.gates, [], "a replacement is no update");

  const { out } = expectCode(await repository.xcf(["apply", changeSet.id]), 3);
  const asked = /xcf approve (cs_\w+)/.exec(out)?.[1];
  assert.ok(asked !== undefined, out);
  assert.match(out, /the approval rule "updates" asks for it/);
  const real = await show(asked);
  assert.deepEqual(
    real.units.map(({ summary }) => [summary.update, summary.replace]),
    [[1, 0]],
  );
  assert.ok(
    real.gates.some(
      ({ groups, reasons }) => groups.join() === "dba" && reasons.some((why) => why.includes('"updates"')),
    ),
    JSON.stringify(real.gates),
  );
  expectCode(await repository.xcf(["approve", asked], DBA), 0);
  expectCode(await repository.xcf(["apply", changeSet.id, "--wait"]), 0);
});

test("a policy over the whole change denies what no single plan shows", options, async () => {
  await repository.commit({ "envs/lab/environment.yaml": environment() });
  const changeSet = await plan(4);
  assert.deepEqual(
    changeSet.policy.denials.map(({ namespace, message }) => [namespace, message]),
    [["changeset", "2 units would be destroyed at once"]],
  );
  assert.equal(changeSet.phase, "denied");
});
