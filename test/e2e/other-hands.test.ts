import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { requireEngine } from "../support/engines.ts";
import { expectIntact, expectRefusal } from "../support/refusal.ts";
import { SMALL_MONOREPO } from "../support/small-monorepo.ts";
import { openByHand, type RunningServer, startUp, type TerraformByHand } from "../support/terraform-by-hand-cli.ts";
import { createTestRepository, type TestRepository } from "../support/xcf-cli.ts";
import { expectCode, listRuns, planChange, planSomething } from "../support/xcf-documents.ts";

const terraform = requireEngine("terraform");
const opa = requireEngine("opa");
const LEAD = "lead@example.com/platform-leads";
const UNIT = "prod/shop/unit";
const LOCK = {
  ID: "11111111-2222-3333-4444-555555555555",
  Operation: "OperationTypeApply",
  Info: "",
  Who: "ada@laptop",
};

describe("a state that somebody else has in hand", { skip: terraform.skip || opa.skip }, () => {
  let repository: TestRepository;
  let server: RunningServer;
  let hand: TerraformByHand;

  before(async () => {
    repository = await createTestRepository();
    await repository.commit(SMALL_MONOREPO);
    const { id } = await planSomething(repository);
    expectCode(await repository.xcf(["approve", id], { as: LEAD }), 0);
    expectCode(await repository.xcf(["apply", id]), 0);
    // A client's call lets the owner of `plan` and `apply` make room for the server.
    server = await startUp(repository);
    hand = await openByHand(
      repository,
      server,
      UNIT,
      'resource "terraform_data" "this" {\n  input = { database = "by hand", replicas = 7 }\n}\n',
    );
  });
  after(async () => {
    await server.stop();
    await repository.dispose();
  });

  async function approved(replicas: number): Promise<string> {
    const text = SMALL_MONOREPO["compositions/shop.yaml"] ?? "";
    await repository.commit({ "compositions/shop.yaml": text.replace("replicas: 2", `replicas: ${replicas}`) });
    const { id } = await planSomething(repository);
    expectCode(await repository.xcf(["approve", id], { as: LEAD }), 0);
    return id;
  }

  async function ask(method: string): Promise<number> {
    const authorization = `Basic ${Buffer.from(`person:${hand.password}`).toString("base64")}`;
    const body = JSON.stringify({ ...LOCK, Version: "1.0.0", Created: new Date().toISOString(), Path: "" });
    return (await fetch(hand.address, { method, headers: { authorization }, body })).status;
  }

  test("a lock: the apply names its holder and what to do, and works once it is free", async () => {
    const id = await approved(3);
    assert.equal(await ask("LOCK"), 200);
    const refused = await repository.xcf(["apply", id]);
    expectRefusal(refused, {
      code: 1,
      says: [/prod\/shop\/unit/, /locked by ada@laptop since/, /11111111-2222/, /xcf unlock --engine/],
    });
    const [run] = await listRuns(repository, 1);
    assert.equal(await ask("UNLOCK"), 200);
    expectCode(await repository.xcf(["retry", run?.id ?? ""]), 0);
    assert.equal(await planChange(repository), undefined);
    await expectIntact(repository);
  });

  test("a lock does not stop a plan, and `unlock --engine` frees it for an apply", async () => {
    assert.equal(await ask("LOCK"), 200);
    const id = await approved(4);
    assert.match(expectCode(await repository.xcf(["unlock", "--engine", UNIT]), 0).out, /ada@laptop/);
    expectCode(await repository.xcf(["apply", id]), 0);
    await expectIntact(repository);
  });

  test("a serial moved by hand since the approval: the apply is refused as stale and changes nothing", async () => {
    const id = await approved(5);
    expectCode(await hand.terraform("init", "-input=false"), 0);
    expectCode(await hand.terraform("apply", "-auto-approve", "-input=false"), 0);
    const written = expectCode(await repository.xcf(["state", "pull", UNIT]), 0).out;
    expectRefusal(await repository.xcf(["apply", id]), {
      code: 6,
      says: [new RegExp(id), /prod\/shop\/unit: its state has serial \d+ now, it was planned against \d+/, /xcf plan/],
    });
    assert.equal(
      expectCode(await repository.xcf(["state", "pull", UNIT]), 0).out,
      written,
      "what the hand wrote stays",
    );
    assert.match(expectCode(await repository.xcf(["show", id, "-o", "json"]), 0).out, /"phase": "stale"/);
    const told = await repository.xcf(["apply", id, "-o", "json"]);
    assert.equal(told.code, 6);
    assert.match(
      expectCode(await repository.xcf(["audit", "query", "--type", "state.engine-state", "-o", "json"]), 0).out,
      /written-by-hand/,
    );
    const next = await planSomething(repository);
    expectCode(await repository.xcf(["approve", next.id], { as: LEAD }), 0);
    expectCode(await repository.xcf(["apply", next.id]), 0);
    assert.equal(await planChange(repository), undefined);
    await expectIntact(repository);
  });
});
