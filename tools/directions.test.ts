import assert from "node:assert/strict";
import { test } from "node:test";
import { findBreaches, type Workspace } from "./directions.ts";

function workspace(folder: string, name: string, dependencies: string[] = []): Workspace {
  return { folder, name: `@xcloudflow/${name}`, dependencies, devDependencies: ["fast-check"] };
}

const names: [string, string][] = [
  ["proto", "proto"],
  ["lib/model", "model"],
  ["lib/chassis", "chassis"],
  ["lib/database", "database"],
  ["services/state", "state"],
  ["services/planner", "planner"],
  ["runners/host", "runner-host"],
  ["runners/terraform", "runner-terraform"],
  ["runners/pulumi", "runner-pulumi"],
  ["cli", "cli"],
  ["deploy/embedded", "embedded"],
  ["test", "test"],
];
const workspaces = names.map(([folder, name]) =>
  workspace(folder, name, ["kysely", "execa", ...names.map(([, other]) => `@xcloudflow/${other}`)]),
);

function breachesOf(path: string, text: string): string[] {
  return findBreaches([{ path, text }], workspaces);
}

function importing(path: string, name: string): string[] {
  return breachesOf(path, `import { x } from "@xcloudflow/${name}/x";\n`);
}

test("the directions that the architecture names are free", () => {
  assert.deepEqual(importing("services/state/src/a.ts", "proto"), []);
  assert.deepEqual(importing("services/state/src/a.ts", "database"), []);
  assert.deepEqual(importing("runners/terraform/src/a.ts", "runner-host"), []);
  assert.deepEqual(importing("cli/src/a.ts", "embedded"), []);
  assert.deepEqual(importing("deploy/embedded/src/a.ts", "state"), []);
  assert.deepEqual(importing("test/e2e/a.ts", "cli"), []);
});

test("a service never imports another, nor a runner or what is built on it", () => {
  assert.deepEqual(importing("services/state/src/a.ts", "planner"), [
    "services/state/src/a.ts:1  services/state must not import services/planner",
  ]);
  assert.equal(importing("services/state/src/a.test.ts", "planner").length, 1);
  assert.equal(importing("services/state/src/a.ts", "runner-host").length, 1);
  assert.equal(importing("services/state/src/a.ts", "embedded").length, 1);
});

test("a runner imports neither a service, the database nor another runner", () => {
  for (const name of ["state", "database", "runner-pulumi"]) {
    assert.equal(importing("runners/terraform/src/a.ts", name).length, 1, name);
  }
  assert.equal(importing("runners/host/src/a.ts", "runner-terraform").length, 1);
});

test("lib never looks up, and the model does no I/O", () => {
  assert.equal(importing("lib/model/src/a.ts", "chassis").length, 1);
  assert.equal(importing("lib/chassis/src/a.ts", "state").length, 1);
  assert.equal(breachesOf("lib/model/src/a.ts", 'import { open } from "node:fs/promises";').length, 1);
  assert.deepEqual(breachesOf("lib/model/src/a.ts", 'import { createHash } from "node:crypto";'), []);
});

test("every form of import is seen, with its line", () => {
  const texts = [
    '\nimport type {\n  A,\n} from "@xcloudflow/planner/a";',
    '\n\nimport "@xcloudflow/planner/a";\n',
    '\n\nexport { a } from "@xcloudflow/planner/a";',
    '\n\nconst a = await import("@xcloudflow/planner/a");',
  ];
  for (const text of texts) assert.match(breachesOf("services/state/src/a.ts", text)[0] ?? "", /a\.ts:[34] {2}/, text);
});

test("what stands in a comment is not an import", () => {
  assert.deepEqual(breachesOf("services/state/src/a.ts", '// import "@xcloudflow/planner/a"\n/* process.env */'), []);
});

test("a relative import stays in its workspace", () => {
  assert.deepEqual(breachesOf("services/state/src/a.ts", 'import { b } from "../migrations/b.ts";'), []);
  assert.equal(breachesOf("services/state/src/a.ts", 'import { b } from "../../planner/src/b.ts";').length, 1);
});

test("processes are started in *-cli.ts only, tests apart", () => {
  for (const module of ["node:child_process", "execa"]) {
    const text = `import { x } from "${module}";`;
    assert.equal(breachesOf("services/state/src/opa.ts", text).length, 1);
    assert.deepEqual(breachesOf("services/state/src/opa-cli.ts", text), []);
    assert.deepEqual(breachesOf("services/state/src/opa.test.ts", text), []);
  }
});

test("SQL is written in stores, migrations and lib/database only", () => {
  const text = 'import type { Kysely } from "kysely";';
  assert.equal(breachesOf("services/state/src/state-service.ts", text).length, 1);
  for (const path of ["services/state/src/drift-store.ts", "services/state/migrations/1.ts", "lib/database/src/a.ts"]) {
    assert.deepEqual(breachesOf(path, text), []);
  }
});

test("a package that package.json does not name is not imported", () => {
  assert.equal(breachesOf("services/state/src/a.ts", 'import { z } from "zod/v4";').length, 1);
  assert.equal(breachesOf("services/state/src/a.ts", 'import fc from "fast-check";').length, 1);
  assert.deepEqual(breachesOf("services/state/src/a.test.ts", 'import fc from "fast-check";'), []);
});

test("the environment is read in main.ts only", () => {
  for (const text of [
    "const a = process.env.A;",
    'const a = process?.env["A"];',
    'import { env } from "node:process";',
  ]) {
    assert.equal(breachesOf("services/state/src/a.ts", text).length, 1, text);
    assert.deepEqual(breachesOf("services/state/src/main.ts", text), []);
  }
});

test("files are imported, never found beside the source, since a bundle has one place only", () => {
  const text = 'const sql = readFileSync(new URL("./a.sql", import.meta.url));';
  assert.equal(breachesOf("services/state/src/a.ts", text).length, 1);
  assert.deepEqual(breachesOf("services/state/src/a.test.ts", text), []);
});

test("a file of 401 lines is too long, one of 400 is not", () => {
  assert.deepEqual(breachesOf("services/state/src/a.ts", "a;\n".repeat(400)), []);
  assert.equal(breachesOf("services/state/src/a.ts", "a;\n".repeat(401)).length, 1);
});
