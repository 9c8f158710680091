import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { compileMonorepo } from "./monorepo.ts";
import { movesOf, parseMoveEnd } from "./moves.ts";

describe("an end of a move", () => {
  const cases: readonly [string, unknown][] = [
    ["db", { composition: undefined, region: undefined, module: "db" }],
    ["shop/db", { composition: "shop", region: undefined, module: "db" }],
    ["shop@eu/db", { composition: "shop", region: "eu", module: "db" }],
    ["prod/shop/db", undefined],
    ["shop@/db", undefined],
    ["@eu/db", undefined],
    ["shop@eu@us/db", undefined],
    ["Shop/db", undefined],
    ["", undefined],
  ];
  for (const [text, end] of cases) test(JSON.stringify(text), () => assert.deepEqual(parseMoveEnd(text), end));
});

describe("moves of an environment", () => {
  function moves(inComposition: string, inEnvironment: string, regions = ""): Record<string, string> {
    const { monorepo } = compileMonorepo(
      new Map([
        [
          "compositions/shop.yaml",
          `kind: Composition\nmetadata: {name: shop}\nspec: {lifecycle: Config, modules: [{name: db, ref: modules/db}], moved: [${inComposition}]}\n`,
        ],
        [
          "envs/prod/environment.yaml",
          `kind: Environment\nmetadata: {name: prod}\nspec: {tier: staging, compositions: [{ref: compositions/shop${regions}}], moved: [${inEnvironment}]}\n`,
        ],
      ]),
    );
    const environment = monorepo.environments.get("prod");
    assert.ok(environment);
    return Object.fromEntries(movesOf(monorepo, environment));
  }

  test("a renamed module, in every region the composition has", () => {
    assert.deepEqual(moves("{from: database, to: db}", ""), { "prod/shop/db": "prod/shop/database" });
    assert.deepEqual(moves("{from: database, to: db}", "", ", regions: [eu, us]"), {
      "prod/shop@eu/db": "prod/shop@eu/database",
      "prod/shop@us/db": "prod/shop@us/database",
    });
  });

  test("a renamed composition", () => {
    assert.deepEqual(moves("", "{from: store/db, to: shop/db}"), { "prod/shop/db": "prod/store/db" });
  });

  test("a region that is added to what had none", () => {
    assert.deepEqual(moves("", "{from: shop/db, to: shop@eu/db}", ", regions: [eu, us]"), {
      "prod/shop@eu/db": "prod/shop/db",
    });
  });
});
