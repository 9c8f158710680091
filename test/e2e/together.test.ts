import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { z } from "zod";
import { requireEngine } from "../support/engines.ts";
import { MODE } from "../support/shared-mesh.ts";
import { SMALL_MONOREPO } from "../support/small-monorepo.ts";
import { createTestRepository, endOwner, type TestRepository } from "../support/xcf-cli.ts";

const terraform = requireEngine("terraform");
const tofu = requireEngine("opentofu");
const LEAD = "lead@example.com/platform-leads";
const idSchema = z.looseObject({ id: z.string() });
const runsSchema = z.looseObject({
  runs: z.array(z.looseObject({ kind: z.string(), status: z.string(), changeSet: z.string().optional() })),
});

let repository: TestRepository;

before(async () => {
  repository = await createTestRepository();
  await repository.commit(SMALL_MONOREPO);
});

after(() => repository.dispose());

async function planAs(as: string): Promise<string> {
  const { out, err, code } = await repository.xcf(["plan", "-o", "json"], { as });
  assert.equal(code, 2, err);
  return idSchema.parse(JSON.parse(out)).id;
}

test("plan, approve and apply from three processes at once lose nothing", { skip: terraform.skip }, async () => {
  const people = ["ann@example.com", "ben@example.com", "cy@example.com"];
  const ids = await Promise.all(people.map(planAs));
  assert.equal(new Set(ids).size, 3, "each has a ChangeSet of its own");

  const approvals = await Promise.all(ids.map((id) => repository.xcf(["approve", id], { as: LEAD })));
  assert.deepEqual(
    approvals.map(({ code }) => code),
    [0, 0, 0],
    approvals.map(({ err }) => err).join("\n"),
  );

  // All three change the same units from the same state: one of them can be the first, the others are stale then.
  const applies = await Promise.all(
    ids.map((id, index) => repository.xcf(["apply", id, "--wait"], { as: people[index] ?? "" })),
  );
  const codes = applies.map(({ code }) => code).sort();
  assert.deepEqual(codes, [0, 6, 6], applies.map(({ err }) => err).join("\n"));

  const runs = runsSchema.parse(JSON.parse((await repository.xcf(["runs", "-o", "json", "--limit", "100"])).out)).runs;
  assert.equal(runs.filter((run) => run.kind === "plan" && run.status === "succeeded").length, 3);
  assert.equal(runs.filter((run) => run.kind === "apply" && run.status === "succeeded").length, 1);
  assert.equal(runs.filter((run) => run.kind === "apply" && run.status === "failed").length, 2);
  assert.equal((await repository.xcf(["plan"])).code, 0, "what was applied is all there is");
  assert.equal((await repository.xcf(["audit", "verify"])).code, 0);
});

/** What a worker finds on its machine is for a mesh's operator to change, not for who calls. */
const ownEngines = MODE === "embedded" ? test : test.skip;

ownEngines(
  "another engine version than the approved plan's refuses the apply",
  {
    skip: terraform.skip === false ? tofu.skip : terraform.skip,
  },
  async () => {
    await repository.commit({
      "compositions/database.yaml": (SMALL_MONOREPO["compositions/database.yaml"] ?? "").replace(
        "size: small",
        "size: large",
      ),
    });
    const id = await planAs("author@example.com");
    assert.equal((await repository.xcf(["approve", id], { as: LEAD })).code, 0);
    await endOwner(repository.folder);
    const applied = await repository.xcf(["apply", id], { environment: { XCF_TOOL_TERRAFORM: tofu.path ?? "" } });
    assert.equal(applied.code, 6, applied.out + applied.err);
    assert.match(applied.err, /opentofu/);
  },
);
