import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { z } from "zod";
import { requireEngine } from "../support/engines.ts";
import { SMALL_MONOREPO } from "../support/small-monorepo.ts";
import { createTestRepository, endOwner, type TestRepository } from "../support/xcf-cli.ts";

const { skip } = requireEngine("terraform");
const opa = requireEngine("opa");
const LEAD = "lead@example.com/platform-leads";
const changeSetSchema = z.looseObject({
  id: z.string(),
  digest: z.string(),
  phase: z.string(),
  units: z.array(z.looseObject({ address: z.string(), status: z.string() })),
  policy: z.looseObject({ verdict: z.string() }),
  governance: z.looseObject({ changes: z.array(z.string()) }),
});

let repository: TestRepository;

before(async () => {
  repository = await createTestRepository();
  await repository.commit(SMALL_MONOREPO);
});

after(() => repository.dispose());

async function plan(...words: string[]): Promise<z.infer<typeof changeSetSchema>> {
  const { out, err, code } = await repository.xcf(["plan", "-o", "json", ...words]);
  assert.ok(code === 2 || code === 4, `plan exits ${code}: ${err}`);
  return changeSetSchema.parse(JSON.parse(out));
}

function edit(file: string, from: string, to: string): Record<string, string> {
  const text = current.get(file) ?? SMALL_MONOREPO[file] ?? "";
  assert.ok(text.includes(from), `${file} holds "${from}"`);
  const edited = text.replace(from, to);
  current.set(file, edited);
  return { [file]: edited };
}
const current = new Map<string, string>();

const options = { skip: skip === false ? opa.skip : skip };

test("an author cannot approve, a lead can, and what was approved runs", options, async () => {
  const { id, units } = await plan();
  assert.deepEqual(units.map((unit) => unit.status).sort(), ["planned", "provisional", "provisional"]);
  const waiting = await repository.xcf(["apply", id]);
  assert.equal(waiting.code, 3, waiting.err);

  for (const author of ["author@example.com", "Author@Example.com/platform-leads"]) {
    const refused = await repository.xcf(["approve", id], { as: author });
    assert.notEqual(refused.code, 0);
    assert.match(refused.err, /wrote part of this change/);
  }
  const stranger = await repository.xcf(["approve", id], { as: "stranger@example.com/other-team" });
  assert.match(stranger.err, /none of the groups/);
  const mismatched = await repository.xcf(["approve", id, "--digest", "xcf1:sha256:other"], { as: LEAD });
  assert.equal(mismatched.code, 6, mismatched.err);

  const approved = await repository.xcf(["approve", id], { as: LEAD });
  assert.equal(approved.code, 0, approved.err);
  const applied = await repository.xcf(["apply", id]);
  assert.equal(applied.code, 0, applied.err);
  const again = await repository.xcf(["plan"]);
  assert.equal(again.code, 0, again.out + again.err);
});

test(
  "a change of inputs, content, policy or rules since the approval refuses the apply; an unrelated commit does not",
  options,
  async () => {
    const changes: readonly (() => Promise<unknown>)[] = [
      () => repository.commit(edit("compositions/database.yaml", "size: medium", "size: large")),
      () => repository.commit({ "modules/database/extra.tf": 'resource "terraform_data" "extra" {}\n' }),
      () => repository.commit(edit("policies/main.rego", "gigantic", "enormous")),
      () => repository.commit(edit("envs/prod/environment.yaml", "quorum: 1", "quorum: 2")),
    ];
    for (const [index, change] of changes.entries()) {
      await repository.commit(
        edit(
          "compositions/database.yaml",
          index === 0 ? "size: small" : (/size: \w+/.exec(current.get("compositions/database.yaml") ?? "")?.[0] ?? ""),
          "size: medium",
        ),
      );
      await repository.commit(
        edit(
          "compositions/shop.yaml",
          /replicas: \d+/.exec(
            current.get("compositions/shop.yaml") ?? SMALL_MONOREPO["compositions/shop.yaml"] ?? "",
          )?.[0] ?? "",
          `replicas: ${10 + index}`,
        ),
      );
      const { id } = await plan();
      await repository.xcf(["approve", id], { as: LEAD });
      await change();
      const applied = await repository.xcf(["apply", id]);
      assert.equal(applied.code, 6, `change ${index}: ${applied.code} ${applied.err}`);
    }
  },
);

test("an unrelated commit keeps the approval", options, async () => {
  const { id } = await plan();
  for (const lead of [LEAD, "second@example.com/platform-leads"]) await repository.xcf(["approve", id], { as: lead });
  await repository.commit({ "README.md": "nothing to do with any unit\n" });
  const applied = await repository.xcf(["apply", id]);
  assert.equal(applied.code, 0, applied.err);
});

test(
  "a proposal that loosens policies, gates or lifecycle is judged by the stricter of old and new",
  options,
  async () => {
    await repository.git("checkout", "--quiet", "-b", "loosen");
    await repository.commit({
      ...edit("policies/main.rego", "msg if {", "msg if {\n\tfalse"),
      ...edit("compositions/network.yaml", "lifecycle: Foundation", "lifecycle: Application"),
      ...edit("envs/prod/environment.yaml", "groups: [platform-leads], quorum: 2", "groups: [anybody], quorum: 1"),
      ...edit(
        "compositions/database.yaml",
        /size: \w+/.exec(current.get("compositions/database.yaml") ?? "")?.[0] ?? "",
        "size: enormous",
      ),
    });
    const proposal = await plan();
    assert.equal(proposal.policy.verdict, "deny", "the old policy still judges");
    assert.equal(proposal.phase, "denied");
    assert.ok(proposal.governance.changes.length > 0, "what changes about the rules is said");
    const applied = await repository.xcf(["apply", proposal.id]);
    assert.equal(applied.code, 4, applied.err);
    await repository.git("checkout", "--quiet", "main");
  },
);

test("a ChangeSet planned from the work tree can be looked at and never applied", options, async () => {
  const { writeFile } = await import("node:fs/promises");
  await writeFile(
    `${repository.folder}/compositions/shop.yaml`,
    (SMALL_MONOREPO["compositions/shop.yaml"] ?? "").replace("replicas: 2", "replicas: 99"),
  );
  const { id } = await plan("--dirty");
  const applied = await repository.xcf(["apply", id]);
  assert.equal(applied.code, 6, applied.err);
  await repository.git("checkout", "--quiet", "--", ".");
});

test("acknowledged work survives a SIGKILL of the control plane", options, async () => {
  const before = await repository.xcf(["runs", "-o", "json", "--limit", "100"]);
  await endOwner(repository.folder, "SIGKILL");
  const after = await repository.xcf(["runs", "-o", "json", "--limit", "100"]);
  assert.deepEqual(JSON.parse(after.out), JSON.parse(before.out));
});
