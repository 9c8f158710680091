import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { requireEngine } from "../support/engines.ts";
import { type LedgerUnit, ledgerMonorepo, SELF_APPROVED } from "../support/ledger-monorepo.ts";
import { CAN_LIST_PROCESSES, findEngines } from "../support/owner-processes.ts";
import { MODE } from "../support/shared-mesh.ts";
import { openByHand, startUp } from "../support/terraform-by-hand-cli.ts";
import { createTestRepository, type TestRepository } from "../support/xcf-cli.ts";
import { expectCode, listRuns, planChange, planSomething, showRun } from "../support/xcf-documents.ts";

const { skip } = requireEngine("terraform");
const options = { skip: skip === false && !CAN_LIST_PROCESSES ? "needs /proc" : skip };

let repository: TestRepository;
let ledger: string;
let block: string;

before(async () => {
  repository = await createTestRepository();
  ledger = join(repository.folder, "..", "ledger.txt");
  block = join(repository.folder, "..", "block");
  await writeFile(ledger, "");
});

after(() => repository.dispose());

async function commit(...units: LedgerUnit[]): Promise<void> {
  await repository.git("rm", "-rq", "--ignore-unmatch", "compositions", "modules");
  await repository.commit(ledgerMonorepo(ledger, units, SELF_APPROVED));
}

async function lines(): Promise<string[]> {
  return (await readFile(ledger, "utf8")).split("\n").filter(Boolean);
}

async function newestRun(): Promise<string> {
  return (await listRuns(repository, 1))[0]?.id ?? "";
}

/** A resource whose creation fails while the file `block` exists, without leaving anything behind. */
const BLOCKED = `resource "terraform_data" "blocked" {
  input = var.block
  lifecycle {
    precondition {
      condition     = terraform_data.this.id == "" || !fileexists(var.block)
      error_message = "the way is blocked"
    }
  }
}
`;

function blockable(name: string, lifecycle: string, generation: string): LedgerUnit {
  return { name, lifecycle, generation, inputs: { block: JSON.stringify(block) }, more: BLOCKED };
}

/** The engine's own words are heard while it works, wherever its worker is. */
async function untilApplying(unit: string): Promise<void> {
  let run = "";
  while (run === "") run = (await listRuns(repository, 1)).find(({ kind }) => kind === "apply")?.id ?? "";
  const watching = await repository.start(["watch", run]);
  let said = "";
  const heard = new Promise<void>((resolve) => {
    for (const stream of [watching.stdout, watching.stderr]) {
      stream?.on("data", (bytes: Buffer) => {
        said += String(bytes);
        if (said.split("\n").some((line) => line.includes(unit) && /Creating/.test(line))) resolve();
      });
    }
  });
  await Promise.race([heard, once(watching, "exit")]);
  watching.kill("SIGINT");
  assert.match(said, /Creating/, `${unit} is not being applied`);
}

describe("verbs", () => {
  test("cancel asks the engine to stop, and its state stays whole", options, async () => {
    await commit({ name: "slow", slow: "sleep 20" }, { name: "later", after: ["slow"] });
    const { id } = await planSomething(repository);
    const client = await repository.start(["apply", id]);
    const left = once(client, "exit");
    await untilApplying("dev/slow/unit");
    const run = await newestRun();
    const begun = performance.now();
    expectCode(await repository.xcf(["cancel", run, "-m", "changed my mind"]), 0);
    assert.ok(performance.now() - begun < 15_000, "a canceled run does not wait for the engine's own end");
    assert.notEqual((await left)[0], 0);
    const canceled = await showRun(repository, run);
    assert.equal(canceled.status, "canceled");
    if (MODE === "embedded") assert.deepEqual(findEngines(repository.folder), []);
    assert.equal(canceled.steps.find((step) => step.unit === "dev/later/unit")?.status, "canceled");
    const { out } = expectCode(await repository.xcf(["state", "pull", "dev/slow/unit"]), 0);
    assert.equal((JSON.parse(out) as { version: number }).version, 4);

    await commit({ name: "slow" }, { name: "later", after: ["slow"] });
    expectCode(await repository.xcf(["apply", (await planSomething(repository)).id]), 0);
    assert.equal(await planChange(repository), undefined);
    assert.equal((await lines()).filter((line) => line === "create later 1").length, 1);
  });

  test("a failed run is taken up again by retry, which looks first and repeats nothing", options, async () => {
    await commit(blockable("halfway", "Application", "1"), { name: "behind", after: ["halfway"] });
    const { id } = await planSomething(repository);
    await writeFile(block, "");
    const failed = await repository.xcf(["apply", id]);
    expectCode(failed, 1);
    assert.match(failed.err, /the way is blocked/);
    const run = await newestRun();
    const seen = await showRun(repository, run);
    assert.equal(seen.status, "failed");
    assert.equal(seen.steps.find((step) => step.unit === "dev/behind/unit")?.status, "skipped");
    await rm(block);
    expectCode(await repository.xcf(["retry", run]), 0);
    assert.equal((await showRun(repository, run)).status, "succeeded");
    assert.equal((await lines()).filter((line) => line === "create halfway 1").length, 1);
    assert.equal(await planChange(repository), undefined);
    const again = await repository.xcf(["retry", run]);
    assert.match(again.err, /it is succeeded/);
  });

  test("why, watch, runs and show tell a run's story", options, async () => {
    const [newest] = (await listRuns(repository)).filter((run) => run.kind === "apply");
    assert.ok(newest !== undefined);
    const why = expectCode(await repository.xcf(["why", "dev/halfway/unit"]), 0).out;
    assert.match(why, /the way is blocked/);
    const watch = expectCode(await repository.xcf(["watch", newest.id]), 0);
    assert.match(watch.err, /dev\/halfway\/unit │ .*Creation complete/);
    const show = expectCode(await repository.xcf(["show", newest.id]), 0).out;
    assert.match(show, /succeeded .*dev\/halfway\/unit/);
    const unknown = await repository.xcf(["show", "run_doesnotexist"]);
    assert.notEqual(unknown.code, 0);
    assert.match(unknown.err, /run_doesnotexist/);
  });

  test("a rejected ChangeSet is not applied", options, async () => {
    await commit(blockable("halfway", "Application", "2"), { name: "behind", after: ["halfway"] });
    const { id } = await planSomething(repository);
    expectCode(await repository.xcf(["reject", id, "-m", "not today"]), 0);
    const refused = expectCode(await repository.xcf(["apply", id]), 6);
    assert.match(refused.err, /rejected/);
    expectCode(await repository.xcf(["apply", (await planSomething(repository)).id]), 0);
  });

  test("a Foundation change holds an application back while it runs and lets go when it is done", options, async () => {
    await commit({ name: "ground", lifecycle: "Foundation", slow: "sleep 4" }, { name: "app" });
    const ground = await planSomething(repository, ["--only", "dev/ground/unit"], "one@example.com");
    const app = await planSomething(repository, ["--only", "dev/app/unit"], "two@example.com");
    expectCode(await repository.xcf(["approve", ground.id], { as: "lead@example.com" }), 0);
    const foundation = await repository.start(["apply", ground.id]);
    const left = once(foundation, "exit");
    await untilApplying("dev/ground/unit");
    const held = expectCode(await repository.xcf(["apply", app.id]), 3);
    assert.match(held.out, /tier lock of dev/);
    assert.match(expectCode(await repository.xcf(["unlock"]), 0).out, /^tier {2}dev/m);
    const waiting = /Run (run_\w+) waits/.exec(held.out)?.[1] ?? "";
    assert.match(expectCode(await repository.xcf(["why", "dev/app/unit"]), 0).out, /tier lock of dev/);
    assert.equal((await left)[0], 0);
    expectCode(await repository.xcf(["watch", waiting]), 0);
    const written = await lines();
    assert.ok(written.indexOf("create ground 1") < written.indexOf("create app 1"), written.join(", "));
  });

  test("a failed Foundation change keeps its tier lock until somebody unlocks or it succeeds", options, async () => {
    await commit(blockable("ground", "Foundation", "2"), { name: "app", generation: "2" });
    const ground = await planSomething(repository, ["--only", "dev/ground/unit"], "one@example.com");
    const app = await planSomething(repository, ["--only", "dev/app/unit"], "two@example.com");
    expectCode(await repository.xcf(["approve", ground.id], { as: "lead@example.com" }), 0);
    await writeFile(block, "");
    expectCode(await repository.xcf(["apply", ground.id]), 1);
    const failed = await newestRun();
    const held = expectCode(await repository.xcf(["apply", app.id]), 3);
    assert.match(held.out, new RegExp(`tier lock of dev, held by ${failed}`));
    const waiting = /Run (run_\w+) waits/.exec(held.out)?.[1] ?? "";
    expectCode(await repository.xcf(["unlock", "dev", "-m", "looked at it"]), 0);
    expectCode(await repository.xcf(["watch", waiting]), 0);
    await rm(block);
    expectCode(await repository.xcf(["retry", failed]), 0);
    assert.match(expectCode(await repository.xcf(["unlock"]), 0).out, /No locks/);
    const absent = await repository.xcf(["unlock", "dev"]);
    assert.notEqual(absent.code, 0);
    assert.match(absent.err, /no tier lock of that name/);
  });

  test("a renamed module keeps its state", options, async () => {
    await commit({ name: "old" });
    expectCode(await repository.xcf(["apply", (await planSomething(repository)).id]), 0);
    const before = expectCode(await repository.xcf(["state", "pull", "dev/old/unit"]), 0).out;
    const files = ledgerMonorepo(ledger, [{ name: "old" }], SELF_APPROVED);
    const composition = (files["compositions/old.yaml"] ?? "")
      .replace("name: unit", "name: renamed")
      .replace("  lifecycle:", "  moved: [{from: unit, to: renamed}]\n  lifecycle:");
    await repository.commit({ "compositions/old.yaml": composition });
    const changeSet = await planSomething(repository);
    assert.deepEqual(
      changeSet.units.map(({ address, summary }) => [address, summary.create, summary.replace, summary.delete]),
      [["dev/old/renamed", 0, 0, 0]],
    );
    expectCode(await repository.xcf(["apply", changeSet.id]), 0);
    const moved = expectCode(await repository.xcf(["state", "pull", "dev/old/renamed"]), 0).out;
    const idOf = (state: string): string | undefined => /"id": ?"([0-9a-f-]{36})"/.exec(state)?.[1];
    assert.ok(idOf(before) !== undefined);
    assert.equal(idOf(moved), idOf(before));
    assert.equal(await planChange(repository), undefined);
    assert.equal((await lines()).filter((line) => line.startsWith("destroy old")).length, 0);
  });

  test("a state changed by hand is drift, makes open ChangeSets stale, and is corrected", options, async () => {
    await commit({ name: "drifting" });
    const first = await planSomething(repository);
    expectCode(await repository.xcf(["apply", first.id]), 0);
    expectCode(await repository.xcf(["drift"]), 0);
    await commit({ name: "drifting", inputs: { extra: "one" }, more: 'output "extra" {\n  value = var.extra\n}\n' });
    const open = await planSomething(repository);

    await repository.xcf(["audit", "verify"]);
    const server = await startUp(repository);
    try {
      const hand = await openByHand(
        repository,
        server,
        "dev/drifting/unit",
        `resource "terraform_data" "this" {\n  input            = { ledger = "${ledger}", generation = "hand", upstream = [] }\n  triggers_replace = ["1", []]\n}\n`,
      );
      expectCode(await hand.terraform("init", "-input=false"), 0);
      expectCode(await hand.terraform("apply", "-auto-approve", "-input=false"), 0);
      expectCode(await repository.xcf(["apply", open.id]), 6);
      const drifted = expectCode(await repository.xcf(["drift", "-o", "json"]), 2);
      assert.match(drifted.out, /hand/);
      const { id } = JSON.parse(drifted.out) as { id: string };
      expectCode(await repository.xcf(["apply", id]), 0);
      expectCode(await repository.xcf(["drift"]), 0);
    } finally {
      await server.stop();
    }
  });
});
