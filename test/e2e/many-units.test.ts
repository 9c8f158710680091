import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { requireEngine } from "../support/engines.ts";
import { layeredMonorepo } from "../support/many-units.ts";
import { expectIntact } from "../support/refusal.ts";
import { createTestRepository, type TestRepository } from "../support/xcf-cli.ts";
import { expectCode, planChange, planSomething } from "../support/xcf-documents.ts";

const { skip } = requireEngine("terraform");
const monorepo = layeredMonorepo(4, 50);

describe("a monorepo of 200 units in four layers", { skip }, () => {
  let repository: TestRepository;

  before(async () => {
    repository = await createTestRepository();
    await repository.commit(monorepo.files);
  });
  after(() => repository.dispose());

  test("is planned and applied whole, and a second plan is empty", async () => {
    assert.equal(monorepo.addresses.length, 200);
    const first = await planSomething(repository);
    assert.deepEqual(first.units.map(({ address }) => address).sort(), [...monorepo.addresses].sort());
    assert.equal(first.units.filter(({ status }) => status === "planned").length, 50);
    expectCode(await repository.xcf(["apply", first.id]), 0);
    assert.equal(await planChange(repository), undefined, "nothing is left to change");
  });

  test("plans exactly a changed module's unit and what depends on it", async () => {
    const changed = "dev/l1-u7/unit";
    const file = monorepo.moduleOf(changed);
    await repository.commit({ [file]: `${monorepo.files[file]}output "more" {\n  value = "more"\n}\n` });
    const wanted = [...monorepo.affectedBy(changed)].sort();
    assert.deepEqual(wanted, [
      changed,
      ...["dev/l2-u6/unit", "dev/l2-u7/unit", "dev/l3-u5/unit", "dev/l3-u6/unit", "dev/l3-u7/unit"],
    ]);
    const { id, units } = await planSomething(repository);
    assert.deepEqual(units.map(({ address }) => address).sort(), wanted);
    expectCode(await repository.xcf(["apply", id]), 0);
    assert.equal(await planChange(repository), undefined);
    await expectIntact(repository);
  });
});
