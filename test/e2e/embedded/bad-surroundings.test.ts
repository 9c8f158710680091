import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { findExecutable } from "../../../tools/locate-tool.ts";
import { requireEngine } from "../../support/engines.ts";
import { ledgerMonorepo, SELF_APPROVED } from "../../support/ledger-monorepo.ts";
import { CAN_LIST_PROCESSES } from "../../support/owner-processes.ts";
import { expectIntact, expectRefusal, refusalAsJson } from "../../support/refusal.ts";
import { createTestRepository, endOwner, readOwnerPid, type TestRepository } from "../../support/xcf-cli.ts";
import { expectCode, planChange, planSomething } from "../../support/xcf-documents.ts";

const { skip } = requireEngine("terraform");

describe("surroundings that do not do", { skip }, () => {
  let repository: TestRepository;

  beforeEach(async () => {
    repository = await createTestRepository();
    const ledger = join(repository.folder, "..", "ledger.txt");
    await writeFile(ledger, "");
    await repository.commit(ledgerMonorepo(ledger, [{ name: "one" }], SELF_APPROVED));
  });
  afterEach(() => repository.dispose());

  async function applyAll(): Promise<void> {
    expectCode(await repository.xcf(["apply", (await planSomething(repository)).id]), 0);
    assert.equal(await planChange(repository), undefined);
  }

  test("no Terraform: the plan says so and how to get it, and works once it is there", async () => {
    const bare = await mkdtemp(join(repository.folder, "..", "bin-"));
    for (const name of ["git", "sh"]) await symlink(findExecutable(name, process.env) ?? name, join(bare, name));
    const environment = { PATH: bare, XDG_CACHE_HOME: join(bare, "cache") };
    expectRefusal(await repository.xcf(["plan"], { environment }), {
      code: 1,
      says: [/[Tt]erraform/, /xcf doctor|install/],
    });
    assert.equal(refusalAsJson(await repository.xcf(["plan", "-o", "json"], { environment })).code, "ENGINE_MISSING");
    await endOwner(repository.folder, "SIGTERM");
    await applyAll();
    await expectIntact(repository);
  });

  test("a database that is not one: the verb names it, touches nothing, and works once the folder is back", async () => {
    await applyAll();
    await endOwner(repository.folder, "SIGTERM");
    const db = join(repository.folder, ".xcf", "db");
    const version = join(db, "PG_VERSION");
    const before = await readFile(version, "utf8");
    await writeFile(version, "9.6\n");
    expectRefusal(await repository.xcf(["runs"]), { code: 1, says: [/\.xcf/] });
    assert.equal(await readFile(version, "utf8"), "9.6\n");
    await writeFile(version, before);
    await rename(join(db, "global"), join(db, "elsewhere"));
    expectRefusal(await repository.xcf(["runs"]), { code: 1, says: [/\.xcf/] });
    await rename(join(db, "elsewhere"), join(db, "global"));
    assert.equal(await planChange(repository), undefined);
    await expectIntact(repository);
  });

  test("a key that does not fit the database: nothing is read or written with another", async () => {
    await applyAll();
    await endOwner(repository.folder, "SIGTERM");
    const configuration = join(repository.folder, "..", "home", ".config", "xcloudflow");
    await rename(configuration, `${configuration}.away`);
    const refused = await repository.xcf(["state", "pull", "dev/one/unit"]);
    expectRefusal(refused, { code: 1, says: [/key/] });
    await endOwner(repository.folder, "SIGTERM");
    await rm(configuration, { recursive: true, force: true });
    await rename(`${configuration}.away`, configuration);
    expectCode(await repository.xcf(["state", "pull", "dev/one/unit"]), 0);
    assert.equal(await planChange(repository), undefined);
    await expectIntact(repository);
  });

  test("an owner that hangs: the verb names its process within its deadline, and all is there once it goes on", {
    skip: !CAN_LIST_PROCESSES && "needs signals and /proc",
  }, async () => {
    await applyAll();
    const pid = (await readOwnerPid(repository.folder)) ?? assert.fail("nobody owns the folder");
    process.kill(pid, "SIGSTOP");
    try {
      const refused = await repository.xcf(["runs"]);
      expectRefusal(refused, {
        code: 1,
        says: [new RegExp(`pid ${pid}`), new RegExp(`kill -CONT ${pid}`), /did not answer/],
      });
    } finally {
      process.kill(pid, "SIGCONT");
    }
    assert.equal(await planChange(repository), undefined);
    await expectIntact(repository);
  });

  test("a folder that is a file: the verb names it", async () => {
    await writeFile(join(repository.folder, ".xcf"), "");
    expectRefusal(await repository.xcf(["runs"]), { code: 1, says: [/\.xcf/] });
    await rm(join(repository.folder, ".xcf"));
    await applyAll();
  });

  test("a folder nobody may write in: the verb names it", {
    skip: process.getuid?.() === 0 && "the superuser may write everywhere",
  }, async () => {
    await mkdir(join(repository.folder, ".xcf"), { mode: 0o500 });
    expectRefusal(await repository.xcf(["runs"]), { code: 1, says: [/\.xcf/] });
    await chmod(join(repository.folder, ".xcf"), 0o700);
    await applyAll();
  });
});
