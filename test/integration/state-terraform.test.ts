import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { stateSchema } from "@xcloudflow/state/migrations/migrations";
import { execa } from "execa";
import { forEachDatabase } from "../support/databases.ts";
import { requireEngine } from "../support/engines.ts";
import { asService, createStateFixture, type StateFixture } from "../support/state-fixture.ts";

const terraform = requireEngine("terraform");

/** Waits for `release` to exist: an apply that is under way for as long as the test wants. */
const HELD_MODULE = `
terraform {
  backend "http" {}
}
variable "name" { default = "one" }
resource "terraform_data" "slow" {
  input = var.name
  triggers_replace = var.name
  provisioner "local-exec" {
    command = "touch started; while [ ! -e release ]; do sleep 0.05; done"
  }
}
output "name" { value = terraform_data.slow.output }
`;

forEachDatabase("plain terraform with our state backend", [stateSchema], ({ database }) => {
  let state: StateFixture;
  let root: string;
  let count = 0;

  before(async () => {
    state = await createStateFixture(database());
    root = await mkdtemp(join(tmpdir(), "xcf-terraform-"));
    await writeFile(join(root, "terraform.rc"), "disable_checkpoint = true\n");
  });
  after(async () => {
    await state.close();
    await rm(root, { recursive: true });
  });

  interface Result {
    readonly exitCode: number | undefined;
    readonly stdout: string;
    /** Both streams. */
    readonly all: string;
  }

  interface Run {
    readonly done: Promise<Result>;
    kill(): void;
  }

  interface Module {
    readonly folder: string;
    readonly unit: string;
    start(...args: string[]): Run;
    run(...args: string[]): Promise<Result>;
  }

  async function createModule(text: string, unit = `prod/shop/tf-${count}`, password = "writer"): Promise<Module> {
    const folder = join(root, `module-${count++}`);
    await mkdir(folder);
    await writeFile(join(folder, "main.tf"), text);
    const address = state.stateUrl(unit);
    const options = {
      cwd: folder,
      reject: false,
      all: true,
      extendEnv: false,
      env: {
        PATH: process.env["PATH"] ?? "",
        HOME: root,
        TF_CLI_CONFIG_FILE: join(root, "terraform.rc"),
        TF_IN_AUTOMATION: "1",
        TF_HTTP_ADDRESS: address,
        TF_HTTP_LOCK_ADDRESS: address,
        TF_HTTP_UNLOCK_ADDRESS: address,
        TF_HTTP_USERNAME: "any",
        TF_HTTP_PASSWORD: password,
        TF_HTTP_RETRY_WAIT_MIN: "0",
        TF_HTTP_RETRY_MAX: "1",
      },
    } as const;
    const start = (...args: string[]): Run => {
      const running = execa(terraform.path, args, options);
      return {
        done: running.then(({ exitCode, stdout, all }) => ({ exitCode, stdout, all })),
        kill: () => running.kill("SIGKILL"),
      };
    };
    const module: Module = { folder, unit, start, run: (...args) => start(...args).done };
    const init = await module.run("init", "-input=false", "-no-color");
    assert.equal(init.exitCode, 0, init.all);
    return module;
  }

  const startApply = (module: Module, ...args: string[]) =>
    module.start("apply", "-auto-approve", "-input=false", "-no-color", ...args);
  const apply = (module: Module, ...args: string[]) => startApply(module, ...args).done;
  const release = (module: Module) => writeFile(join(module.folder, "release"), "");

  async function untilStarted({ folder }: Module, running: Run): Promise<void> {
    let ended = false;
    void running.done.then(() => {
      ended = true;
    });
    const started = async () => (await readFile(join(folder, "started")).catch(() => undefined)) !== undefined;
    while (!(await started())) {
      assert.ok(!ended, `terraform ended early:\n${ended ? (await running.done).all : ""}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  test("init, apply, an empty second plan, another apply and destroy keep their state with us", {
    skip: terraform.skip,
  }, async () => {
    const module = await createModule(HELD_MODULE);
    await release(module);
    const first = await apply(module);
    assert.equal(first.exitCode, 0, first.all);
    const plan = await module.run("plan", "-detailed-exitcode", "-input=false", "-no-color");
    assert.equal(plan.exitCode, 0, plan.all);
    assert.equal((await module.run("output", "-raw", "name")).stdout, "one");
    assert.equal((await apply(module, "-var", "name=two")).exitCode, 0);
    const destroyed = await apply(module, "-destroy");
    assert.equal(destroyed.exitCode, 0, destroyed.all);
    const { versions } = await state.rpc.listStateVersions({ unit: module.unit }, asService);
    assert.ok(versions.length >= 3);
    assert.equal(versions.filter(({ status }) => status === "current").length, 1);
    const { states } = await state.rpc.listStates({ environment: "prod" }, asService);
    assert.equal(states.find(({ unit }) => unit === module.unit)?.lockInfo, "", "no lock is left behind");
  });

  test("an old copy of the state cannot be pushed back, not even by force", {
    skip: terraform.skip,
  }, async () => {
    const module = await createModule(HELD_MODULE);
    await release(module);
    await apply(module);
    const old = (await module.run("state", "pull")).stdout;
    await apply(module, "-var", "name=two");
    await writeFile(join(module.folder, "old.json"), old);
    const push = await module.run("state", "push", "-no-color", "old.json");
    assert.notEqual(push.exitCode, 0);
    const forced = await module.run("state", "push", "-force", "-no-color", "old.json");
    assert.notEqual(forced.exitCode, 0, "the server refuses it even when the client would not");
    assert.match(forced.all, /409/);
    assert.equal((await module.run("output", "-raw", "name")).stdout, "two");
  });

  test("a second apply meets the lock and names its holder; force-unlock frees it", {
    skip: terraform.skip,
  }, async () => {
    const module = await createModule(HELD_MODULE);
    const other = await createModule(HELD_MODULE, module.unit);
    const running = startApply(module);
    await untilStarted(module, running);
    const refused = await apply(other);
    assert.equal(refused.exitCode, 1);
    assert.match(refused.all, /Error acquiring the state lock/);
    assert.match(refused.all, /Operation: +OperationTypeApply/);
    const [, id = ""] = /ID: +(\S+)/.exec(refused.all) ?? [];
    assert.match(id, /^[0-9a-f-]{36}$/);

    running.kill();
    await running.done;
    await release(module);
    const still = await apply(other);
    assert.match(still.all, /Error acquiring the state lock/, "the lock outlives its dead holder");
    const unlock = await other.run("force-unlock", "-force", "-no-color", id);
    assert.equal(unlock.exitCode, 0, unlock.all);
    await release(other);
    const applied = await apply(other);
    assert.equal(applied.exitCode, 0, applied.all);
    const broken = (await state.events()).filter(
      ({ type, subject }) => type === "engine-state.lock-broken" && subject === module.unit,
    );
    assert.deepEqual(
      broken.map(({ actor }) => actor),
      ["user:ada@example.com"],
    );
  });

  test("an apply whose lock was broken meanwhile cannot write, and terraform saves errored.tfstate", {
    skip: terraform.skip,
  }, async () => {
    const module = await createModule(HELD_MODULE);
    const running = startApply(module);
    await untilStarted(module, running);
    assert.equal((await state.fetch("UNLOCK", { unit: module.unit })).status, 200);
    await release(module);
    const result = await running.done;
    assert.equal(result.exitCode, 1);
    assert.match(result.all, /409/);
    const saved = JSON.parse(await readFile(join(module.folder, "errored.tfstate"), "utf8"));
    assert.equal(saved.resources[0].type, "terraform_data");
    assert.equal((await state.fetch("GET", { unit: module.unit })).status, 204);
  });

  test("a module that belongs to another unit is refused by its lineage", { skip: terraform.skip }, async () => {
    const module = await createModule(HELD_MODULE);
    await release(module);
    await apply(module);
    const stranger = await createModule(HELD_MODULE.replace('backend "http" {}', 'backend "local" {}'));
    await release(stranger);
    await apply(stranger);
    await writeFile(
      join(module.folder, "foreign.json"),
      (await stranger.run("state", "pull")).stdout.replace(/"serial": \d+/, '"serial": 99'),
    );
    const push = await module.run("state", "push", "-force", "-no-color", "foreign.json");
    assert.notEqual(push.exitCode, 0);
    assert.match(push.all, /409/);
  });

  test("a token that may only read plans without a lock and cannot apply", { skip: terraform.skip }, async () => {
    const module = await createModule(HELD_MODULE, undefined, "reader");
    const plan = await module.run("plan", "-lock=false", "-input=false", "-no-color");
    assert.equal(plan.exitCode, 0, plan.all);
    const refused = await apply(module);
    assert.equal(refused.exitCode, 1);
    assert.match(refused.all, /invalid auth/);
  });

  test("an attempt applies with its token; once its fence is passed its state is quarantined and saved beside it", {
    skip: terraform.skip,
  }, async () => {
    const unit = `prod/shop/tf-${count}`;
    const module = await createModule(HELD_MODULE, unit, await state.attemptToken({ unit, fence: 1 }));
    const running = startApply(module);
    await untilStarted(module, running);
    await state.rpc.raiseFence({ unit, fence: 2n }, asService);
    await release(module);
    const result = await running.done;
    assert.equal(result.exitCode, 1);
    assert.match(result.all, /412/);
    const saved = await readFile(join(module.folder, "errored.tfstate"), "utf8");
    const { versions } = await state.rpc.listStateVersions({ unit }, asService);
    assert.ok(versions.length > 0 && versions.every(({ status }) => status === "quarantined"));
    const parts: Uint8Array[] = [];
    for await (const { data } of state.rpc.pullState({ unit, version: versions[0]?.version ?? 0n }, asService))
      parts.push(data);
    assert.equal(JSON.parse(Buffer.concat(parts).toString("utf8")).lineage, JSON.parse(saved).lineage);
  });
});
