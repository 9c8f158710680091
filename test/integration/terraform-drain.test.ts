import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { requireEngine } from "../support/engines.ts";
import { holdRequests } from "../support/held-requests.ts";
import { createTerraformFixture, type Files, type TerraformFixture, UNIT } from "./terraform-fixture.ts";

const { skip } = requireEngine("terraform");

/** The apply waits in the middle until the file is there. */
const waitsInApply = (file: string): Files => ({
  "main.tf": `resource "terraform_data" "first" {}
resource "terraform_data" "second" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" {
    command = "echo second has begun; while [ ! -e ${file} ]; do sleep 0.05; done; echo made >> ${file}.ledger"
  }
}
`,
});

describe("a worker that is asked to end", { skip, timeout: 120_000 }, () => {
  let fixture: TerraformFixture;
  let go = "";
  beforeEach(async () => {
    fixture = await createTerraformFixture();
    go = join(fixture.folder, "go-on");
  });
  afterEach(async () => {
    writeFileSync(go, "");
    await fixture[Symbol.asyncDispose]();
  });

  async function startApply(task: string) {
    const files = waitsInApply(go);
    const plan = await fixture.plan(files);
    const saved = { artefact: plan.artefact ?? "", digest: plan.artefactDigest ?? "", ...plan.prior };
    const spec = fixture.spec(files, { kind: "apply", plan: saved });
    return { spec, result: fixture.plane.run(spec, { task }) };
  }

  it("hands a plan back that does not end in time, and another worker makes it", async () => {
    await using held = await holdRequests();
    const files = {
      "main.tf": `data "terraform_remote_state" "other" {\n  backend = "http"\n  config = { address = "${held.url}" }\n}\nresource "terraform_data" "a" {}\n`,
    };
    const result = fixture.plane.run(fixture.spec(files), { task: "planning" });
    await held.asked();
    const closed = fixture.worker.close({ drainMilliseconds: 0 });
    await fixture.plane.logged("planning", /interrupt/i);
    held.answer();
    assert.deepEqual(await result, { kind: "released", effects: "none" });
    await closed;
    fixture.worker = fixture.startWorker({ name: "successor" });
    assert.equal((await fixture.plan(files)).summary.create, 1);
  });

  it("lets an apply finish that ends in time, and takes nothing more meanwhile", async () => {
    const { result } = await startApply("finishes");
    await fixture.plane.logged("finishes", /second has begun/);
    const closed = fixture.worker.close({ drainMilliseconds: 60_000 });
    let taken = false;
    void fixture.plane.run(fixture.spec({ "main.tf": "" })).then(() => {
      taken = true;
    });
    writeFileSync(go, "");
    assert.equal((await result).kind, "applied");
    await closed;
    assert.equal(taken, false);
    assert.equal(readFileSync(`${go}.ledger`, "utf8"), "made\n");
    assert.equal(fixture.plane.locks.size, 0);
    assert.deepEqual(readdirSync(join(fixture.folder, "scratch")), []);
  });

  it("says of an apply it had to interrupt that something may have changed; what did is in the state", async () => {
    const { result } = await startApply("interrupted");
    await fixture.plane.logged("interrupted", /second has begun/);
    await fixture.worker.close({ drainMilliseconds: 0 });
    assert.deepEqual(await result, { kind: "released", effects: "possible" });
    assert.match(fixture.plane.states.get(UNIT) ?? "", /"first"/);
    assert.equal(fixture.plane.locks.size, 0);
    assert.equal(existsSync(`${go}.ledger`), false);
  });

  it("hands an apply back that has changed nothing yet", async () => {
    const holder = { ID: "1", Who: "ada", Created: "2026-01-01T10:00:00Z", Operation: "x", Version: "", Path: "" };
    const { spec } = await startApply("never-run");
    await fixture.worker.close({ cancel: true });
    fixture.plane.locks.set(UNIT, JSON.stringify(holder));
    fixture.worker = fixture.startWorker();
    const before = fixture.plane.requests.length;
    const result = fixture.plane.run(spec, { task: "waiting" });
    while (!fixture.plane.requests.slice(before).includes(`LOCK ${UNIT}`)) await fixture.plane.requested();
    await fixture.worker.close({ drainMilliseconds: 0 });
    assert.deepEqual(await result, { kind: "released", effects: "none" });
  });

  it("ends by itself after as many tasks as it may take", async () => {
    await fixture.worker.close();
    fixture.worker = fixture.startWorker({ taskLimit: 3, concurrency: 2 });
    const files = { "main.tf": "" };
    const results = Array.from({ length: 4 }, (_, index) =>
      fixture.plane.run(fixture.spec(files), { task: `${index}` }),
    );
    const done: string[] = [];
    for (const [index, result] of results.entries()) void result.then(() => done.push(String(index)));
    await fixture.worker.ended;
    assert.deepEqual(done.sort(), ["0", "1", "2"]);
  });
});
