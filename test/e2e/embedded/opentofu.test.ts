import assert from "node:assert/strict";
import { test } from "node:test";
import { requireEngine } from "../../support/engines.ts";
import { SMALL_MONOREPO } from "../../support/small-monorepo.ts";
import { createTestRepository } from "../../support/xcf-cli.ts";

const { skip } = requireEngine("tofu");

function platform(engine: string): Record<string, string> {
  const spec = `{engines: {terraform: ${engine}}}`;
  return { ...SMALL_MONOREPO, ".xcf.yaml": `kind: Platform\nmetadata: {name: platform}\nspec: ${spec}\n` };
}

test("units are planned by the program that .xcf.yaml names, in the version it asks for", { skip }, async () => {
  const repository = await createTestRepository();
  try {
    await repository.commit(platform('{binary: tofu, version: ">= 1.6, < 2.0", pool: big}'));
    const planned = await repository.xcf(["plan", "-o", "json"]);
    assert.equal(planned.code, 2, planned.err);
    const { units } = JSON.parse(planned.out);
    assert.deepEqual(
      units.map(({ engineVersion, pool }: { engineVersion: string; pool: string }) => [
        engineVersion.startsWith("opentofu "),
        pool,
      ]),
      [
        [true, "big"],
        [true, "big"],
        [true, "big"],
      ],
    );
  } finally {
    await repository.dispose();
  }
});

test("a version that does not suit is refused with what to do", { skip }, async () => {
  const repository = await createTestRepository();
  try {
    await repository.commit(platform('{binary: tofu, version: ">= 99"}'));
    const planned = await repository.xcf(["plan", "-o", "json"]);
    assert.match(planned.out + planned.err, /ENGINE_VERSION_UNSUITABLE/);
  } finally {
    await repository.dispose();
  }
});
