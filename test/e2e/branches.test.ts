import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { requireEngine } from "../support/engines.ts";
import { SMALL_MONOREPO } from "../support/small-monorepo.ts";
import { createTestRepository, type TestRepository } from "../support/xcf-cli.ts";

const { skip } = requireEngine("terraform");

const DEVELOPMENT = `kind: Environment
metadata: {name: dev}
spec:
  tier: development
  approvals: {selfApproval: true}
  compositions:
    - ref: compositions/network
    - ref: compositions/database
`;

let repository: TestRepository;

before(async () => {
  repository = await createTestRepository();
  const { "envs/prod/environment.yaml": _production, "compositions/shop.yaml": _shop, ...files } = SMALL_MONOREPO;
  await repository.commit({ ...files, "envs/dev/environment.yaml": DEVELOPMENT });
  await plan(2);
  await apply(0);
});

after(() => repository.dispose());

async function plan(code: number): Promise<string> {
  const outcome = await repository.xcf(["plan", "--env", "dev"]);
  assert.equal(outcome.code, code, outcome.out + outcome.err);
  return outcome.out;
}

async function apply(code: number): Promise<string> {
  const outcome = await repository.xcf(["apply"]);
  assert.equal(outcome.code, code, outcome.out + outcome.err);
  return outcome.out;
}

function database(change: (text: string) => string): Record<string, string> {
  text = change(text);
  return { "compositions/database.yaml": text };
}
let text = SMALL_MONOREPO["compositions/database.yaml"] ?? "";

test("a change on a branch waits until the environment's branch has it, then runs under the same approval", {
  skip,
}, async () => {
  await repository.git("switch", "--quiet", "--create", "larger");
  await repository.commit(database((before) => before.replace("size: small", "size: large")));
  await plan(2);
  assert.match(await apply(3), /to be merged into main/);
  await repository.git("switch", "--quiet", "main");
  await repository.git("merge", "--quiet", "--no-ff", "-m", "Merge", "larger");
  await apply(0);
  await plan(0);
});

test("a renamed unit keeps its state: what is planned is the change and no replacement", { skip }, async () => {
  const before = await repository.xcf(["state", "pull", "dev/database/unit"]);
  await repository.commit(
    database((old) =>
      old
        .replace("name: unit", "name: orders")
        .replace("changeFrequency: medium", "changeFrequency: medium\n  moved:\n    - {from: unit, to: orders}")
        .replace("size: large", "size: huge"),
    ),
  );
  const planned = await plan(2);
  assert.match(planned, /0 to create, 1 to update, 0 to replace, 0 to delete/);
  await apply(0);
  const moved = await repository.xcf(["state", "pull", "dev/database/orders"]);
  assert.equal(idOf(moved.out), idOf(before.out));
  await plan(0);
});

function idOf(state: string): unknown {
  const document: unknown = JSON.parse(state);
  const [id] = JSON.stringify(document).match(/"id":"[^"]+"/) ?? [];
  return id;
}

test("rules that one environment applied do not judge another", { skip }, async () => {
  await repository.git("switch", "--quiet", "main");
  await repository.commit({
    "envs/prod/environment.yaml": SMALL_MONOREPO["envs/prod/environment.yaml"] ?? "",
    "compositions/shop.yaml": (SMALL_MONOREPO["compositions/shop.yaml"] ?? "").replace(
      "database.unit",
      "database.orders",
    ),
  });
  const first = await repository.xcf(["plan", "--env", "prod"]);
  assert.equal(first.code, 2, first.err);
  await repository.xcf(["approve", /cs_\w+/.exec(first.out)?.[0] ?? ""], { as: "lead@example.com/platform-leads" });
  assert.equal((await repository.xcf(["apply", /cs_\w+/.exec(first.out)?.[0] ?? ""])).code, 0);

  // Production's approvers are dropped in a commit that only development has applied.
  await repository.commit({
    "envs/prod/environment.yaml": (SMALL_MONOREPO["envs/prod/environment.yaml"] ?? "").replace(
      "approvals: {groups: [platform-leads], quorum: 1}",
      "approvals: {groups: [anybody], quorum: 1}",
    ),
    ...database((before) => before.replace("size: huge", "size: small")),
  });
  await plan(2);
  await apply(0);
  const second = await repository.xcf(["plan", "--env", "prod"]);
  assert.match(second.out, /platform-leads/);
});
