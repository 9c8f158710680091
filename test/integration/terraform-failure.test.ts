import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { Code, ConnectError } from "@connectrpc/connect";
import { fromConnectError } from "@xcloudflow/chassis/connect-errors";
import { CodedError } from "@xcloudflow/model/coded-error";
import { createTerraformFixture, type TerraformFixture, UNIT } from "./terraform-fixture.ts";

/** Three resources in a row; the second waits until it is told to go on, or is stopped. */
const slow = (folder: string) => ({
  "main.tf": `
resource "terraform_data" "first" {}
resource "terraform_data" "second" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" {
    command = "echo second has begun; while [ ! -e ${folder}/go-on ]; do sleep 0.05; done"
  }
}
resource "terraform_data" "third" {
  depends_on = [terraform_data.second]
}
`,
});

interface StateShape {
  readonly resources: readonly { readonly name: string; readonly instances: readonly { readonly status?: string }[] }[];
}

function namesIn(text: string | undefined): string[] {
  return text === undefined
    ? []
    : (JSON.parse(text) as StateShape).resources
        .map(({ name, instances }) => (instances[0]?.status === "tainted" ? `${name} (tainted)` : name))
        .sort();
}

describe("terraform when something goes wrong", () => {
  let fixture: TerraformFixture;
  beforeEach(async () => {
    fixture = await createTerraformFixture({
      stopTimes: { afterInterrupt: 20_000, afterTerminate: 2_000 },
      leftoverGrace: 15_000,
    });
  });
  afterEach(async () => {
    writeFileSync(join(fixture.folder, "go-on"), "");
    await fixture[Symbol.asyncDispose]();
  });

  async function startSlowApply(
    task: string,
  ): Promise<{ readonly result: ReturnType<TerraformFixture["plane"]["run"]> }> {
    const files = slow(fixture.folder);
    const plan = await fixture.plan(files);
    const saved = { artefact: plan.artefact ?? "", digest: plan.artefactDigest ?? "", ...plan.prior };
    const result = fixture.plane.run(fixture.spec(files, { kind: "apply", plan: saved }), { task });
    await fixture.plane.logged(task, /second has begun/);
    return { result };
  }

  it("stops cleanly when canceled half-way: what is done is in the state, and nothing is locked", async () => {
    const { result } = await startSlowApply("canceled");
    fixture.plane.cancel("canceled");
    assert.deepEqual(await result, { kind: "canceled", effects: "possible" });
    assert.deepEqual(namesIn(fixture.plane.states.get(UNIT)), ["first", "second (tainted)"]);
    assert.equal(fixture.plane.locks.size, 0);
    await fixture.worker.close();
    assert.deepEqual(readdirSync(join(fixture.folder, "scratch")), []);
    fixture.worker = fixture.startWorker();
    writeFileSync(join(fixture.folder, "go-on"), "");
    const inspected = await fixture.plane.run(fixture.spec(slow(fixture.folder), { kind: "inspect" }));
    assert(inspected.kind === "inspected");
    assert.deepEqual(inspected.plan.summary, { create: 1, update: 0, replace: 1, delete: 0, noop: 1 });
  });

  it("kills everything an engine started when the lease is lost", async () => {
    const { result } = await startSlowApply("lost");
    let reported = false;
    void result.then(() => {
      reported = true;
    });
    fixture.plane.lose("lost");
    const mark = join(fixture.folder, "scratch");
    for (let tries = 0; (await processesOf(mark)).length > 0; tries += 1) {
      assert(tries < 200, "processes of the attempt are still there");
      await wait(25);
    }
    while (fixture.worker.busy > 0) await wait(10);
    assert.equal(reported, false, "a lost attempt has no say");
  });

  it("kills its engine before the lease runs out when it cannot be renewed", async () => {
    fixture.plane.leaseMilliseconds = 1_500;
    const { result } = await startSlowApply("unreachable");
    void result;
    const unreachable = Object.assign(fixture.plane.orchestrator, {
      heartbeat: () => Promise.reject(new Error("unreachable")),
    });
    assert(unreachable);
    const began = Date.now();
    while ((await processesOf(join(fixture.folder, "scratch"))).length > 0) await wait(20);
    assert(Date.now() - began < 1_500, "the engine ran into the lease's end");
  });

  it("finds the engine of a killed worker, stops it, and recovers the state it could not store", async () => {
    await fixture.worker.close();
    const child = spawn(process.execPath, [join(import.meta.dirname, "terraform-worker-main.ts")], {
      env: {
        PATH: process.env["PATH"],
        HOME: process.env["HOME"],
        XCF_RPC: fixture.plane.rpcAddress,
        XCF_STATE: fixture.plane.address,
        XCF_FOLDER: fixture.folder,
      },
      stdio: ["ignore", "inherit", "inherit"],
    });
    const { result } = await startSlowApply("killed");
    void result;
    fixture.plane.refuseWrites = true;
    child.kill("SIGKILL");
    await once(child, "exit");
    assert((await processesOf(join(fixture.folder, "scratch"))).length > 0, "the engine outlives its worker");
    assert.equal(fixture.plane.states.get(UNIT), undefined);

    fixture.plane.locks.clear();
    fixture.worker = fixture.startWorker({ name: "successor" });
    writeFileSync(join(fixture.folder, "go-on"), "");
    const inspected = await fixture.plane.run(fixture.spec(slow(fixture.folder), { kind: "inspect" }), {
      attempt: 9,
      unknownAttempts: [2],
    });
    assert(inspected.kind === "inspected", JSON.stringify(inspected));
    assert.equal(inspected.recoveredState, true);
    assert.equal(fixture.plane.recovered.length, 1);
    assert(namesIn(fixture.plane.recovered[0]?.text).includes("first"));
    assert(inspected.plan.summary.create < 3, JSON.stringify(inspected.plan.summary));
    assert.equal((await processesOf(join(fixture.folder, "scratch"))).length, 0);
  });

  it("keeps what was done when a resource fails half-way, and says where", async () => {
    const files = {
      "main.tf":
        'resource "terraform_data" "good" {}\nresource "terraform_data" "bad" {\n  depends_on = [terraform_data.good]\n  provisioner "local-exec" {\n    command = "echo kaputt >&2; exit 3"\n  }\n}',
    };
    const result = await fixture.apply(files);
    assert(result.kind === "failed", JSON.stringify(result));
    assert.equal(result.effects, "possible");
    assert.equal(result.retryable, false);
    assert.match(result.failure.message, /local-exec provisioner error/);
    assert.equal(result.failure.where, "modules/db/main.tf:4");
    assert.deepEqual(namesIn(fixture.plane.states.get(UNIT)), ["bad (tainted)", "good"]);
    assert.equal(fixture.plane.locks.size, 0);
  });

  it("uploads the state at once when the control plane refused it while the engine ran", async () => {
    const files = { "main.tf": 'resource "terraform_data" "a" {}' };
    const plan = await fixture.plan(files);
    fixture.plane.refuseWrites = true;
    const saved = { artefact: plan.artefact ?? "", digest: plan.artefactDigest ?? "", ...plan.prior };
    const result = await fixture.plane.run(fixture.spec(files, { kind: "apply", plan: saved }), { attempt: 7 });
    assert(result.kind === "failed", JSON.stringify(result));
    assert.equal(result.effects, "possible");
    assert.deepEqual(
      fixture.plane.recovered.map(({ unit, deadFence }) => ({ unit, deadFence })),
      [{ unit: UNIT, deadFence: 7 }],
    );
    await fixture.worker.close();
    assert.deepEqual(readdirSync(join(fixture.folder, "scratch")), []);
    fixture.worker = fixture.startWorker();
  });

  it("has applied what it applied though the state's lock could not be given back", async () => {
    fixture.plane.refuseUnlocks = true;
    const result = await fixture.apply({ "main.tf": 'resource "terraform_data" "a" {}' });
    assert(result.kind === "applied", JSON.stringify(result));
    assert.deepEqual(namesIn(fixture.plane.states.get(UNIT)), ["a"]);
    assert.equal(fixture.plane.locks.size, 1, "the lock is there for the unit's next attempt to take over");
  });

  it("does not try a plan again that it has applied, whatever becomes of its answer", async () => {
    const files = { "main.tf": 'resource "terraform_data" "a" {}' };
    const plan = await fixture.plan(files);
    const forgetful = {
      getArtefact: fixture.plane.state.getArtefact,
      putOutputs: () => Promise.reject(new CodedError("STATE_DAMAGED", "dataLoss", { what: "outputs cannot be kept" })),
    };
    Object.assign(fixture.plane.state, forgetful);
    const saved = { artefact: plan.artefact ?? "", digest: plan.artefactDigest ?? "", ...plan.prior };
    const result = await fixture.plane.run(fixture.spec(files, { kind: "apply", plan: saved }));
    assert(result.kind === "failed", JSON.stringify(result));
    assert.deepEqual([result.effects, result.retryable], ["possible", false]);
  });

  it("waits for a state service that is away for a moment, before and after it has applied", async () => {
    const files = { "main.tf": 'resource "terraform_data" "a" {}' };
    const { getArtefact, putOutputs } = fixture.plane.state;
    const away = new ConnectError("state cannot be reached", Code.Unavailable);
    let refusals = 0;
    const refused = (): boolean => {
      refusals += 1;
      return refusals % 3 !== 0;
    };
    Object.assign(fixture.plane.state, {
      async *getArtefact(...request: Parameters<typeof getArtefact>) {
        if (refused()) throw fromConnectError(away);
        yield* getArtefact(...request);
      },
      putOutputs: (...request: Parameters<typeof putOutputs>) =>
        refused() ? Promise.reject(fromConnectError(away)) : putOutputs(...request),
    });
    const result = await fixture.apply({ ...files, "outputs.tf": 'output "o" {\n  value = 1\n}' });
    assert.equal(result.kind, "applied", JSON.stringify(result));
    assert.ok(refusals >= 6, `asked ${refusals} times`);
  });

  it("names who holds the state lock", async () => {
    const files = { "main.tf": 'resource "terraform_data" "a" {}' };
    const plan = await fixture.plan(files);
    fixture.plane.locks.set(
      UNIT,
      JSON.stringify({
        ID: "6d2a",
        Operation: "OperationTypeApply",
        Who: "ada@laptop",
        Version: "1.11.4",
        Created: "2026-01-01T10:00:00Z",
        Path: "",
      }),
    );
    const saved = { artefact: plan.artefact ?? "", digest: plan.artefactDigest ?? "", ...plan.prior };
    const result = await fixture.plane.run(
      fixture.spec(files, { kind: "apply", plan: saved, engineConfig: { lockTimeout: "0s" } }),
    );
    assert(result.kind === "failed");
    assert.equal(result.failure.code, "STATE_LOCK_HELD");
    assert.match(result.failure.message, /ada@laptop since 2026-01-01T10:00:00Z \(OperationTypeApply, lock 6d2a\)/);
    assert.deepEqual([result.effects, result.retryable], ["none", true]);
    const planned = await fixture.plan(files);
    assert.equal(planned.status, "planned", "a plan does not care about the lock");
  });

  it("refuses a plan whose state has moved on, and one whose bytes were changed", async () => {
    const files = { "main.tf": 'variable "v" {}\nresource "terraform_data" "a" { input = var.v }' };
    const old = await fixture.plan(files, { inputs: { v: "1" } });
    assert.equal((await fixture.apply(files, { inputs: { v: "2" } })).kind, "applied");
    const saved = { artefact: old.artefact ?? "", digest: old.artefactDigest ?? "", ...old.prior };
    const stale = await fixture.plane.run(fixture.spec(files, { kind: "apply", inputs: { v: "1" }, plan: saved }));
    assert(stale.kind === "failed");
    assert.deepEqual([stale.failure.code, stale.effects], ["PLAN_STALE", "none"]);
    const damaged = await fixture.plane.run(
      fixture.spec(files, {
        kind: "apply",
        inputs: { v: "1" },
        plan: { ...saved, digest: `sha256:${"0".repeat(64)}` },
      }),
    );
    assert(damaged.kind === "failed");
    assert.deepEqual([damaged.failure.code, damaged.effects], ["PLAN_DAMAGED", "none"]);
  });

  it("points at the line of a broken module", async () => {
    const syntax = await fixture.plane.run(
      fixture.spec({ "main.tf": 'resource "terraform_data" "a" {\n  input =\n}' }),
    );
    assert(syntax.kind === "failed");
    assert.equal(syntax.failure.where, "modules/db/main.tf:2");
    assert.match(syntax.failure.message, /Invalid expression/);
    const unknown = await fixture.plane.run(
      fixture.spec({ "main.tf": 'resource "terraform_data" "a" {\n  input = var.nothing\n}' }),
    );
    assert(unknown.kind === "failed");
    assert.equal(unknown.failure.where, "modules/db/main.tf:2");
    assert.match(unknown.failure.message, /Reference to undeclared input variable/);
  });

  it("says when a module wants another version", async () => {
    const result = await fixture.plane.run(
      fixture.spec({ "main.tf": 'terraform {\n  required_version = "< 0.12"\n}' }),
    );
    assert(result.kind === "failed");
    assert.equal(result.failure.code, "ENGINE_VERSION_UNSUITABLE");
    const setting = await fixture.plane.run(fixture.spec({ "main.tf": "" }, { engineConfig: { version: "1.2.3" } }));
    assert(setting.kind === "failed");
    assert.equal(setting.failure.code, "ENGINE_VERSION_UNSUITABLE");
  });

  it("says when a provider is not to be had", async () => {
    const cliConfigFile = join(fixture.folder, "nothing.tfrc");
    mkdirSync(join(fixture.folder, "nothing"));
    writeFileSync(
      cliConfigFile,
      `provider_installation {\n  filesystem_mirror {\n    path = "${fixture.folder}/nothing"\n  }\n}\n`,
    );
    await using other = await createTerraformFixture({}, { cliConfigFile });
    const result = await other.plane.run(other.spec({ "main.tf": 'resource "random_id" "r" { byte_length = 4 }' }));
    assert(result.kind === "failed");
    assert.equal(result.failure.code, "PROVIDER_UNAVAILABLE");
  });

  it("says when the engine is missing, at the start and in a unit's settings", async () => {
    await assert.rejects(createTerraformFixture({}, { binary: "/nowhere/terraform" }), { code: "ENGINE_MISSING" });
    const environment = { PATH: "/nonexistent" };
    const { createTerraformEngine } = await import("@xcloudflow/runner-terraform/terraform-engine");
    const { createSystemClock } = await import("@xcloudflow/chassis/clock");
    await assert.rejects(
      createTerraformEngine({ cacheRoot: join(fixture.folder, "c2"), environment, clock: createSystemClock() }),
      { code: "ENGINE_MISSING" },
    );
  });

  it("keeps up with 10 MB of log and takes control characters out", async () => {
    const files = {
      "main.tf": `resource "terraform_data" "loud" {
  provisioner "local-exec" {
    command = "head -c 10000000 /dev/zero | tr '\\\\0' 'x' | fold -w 99; printf '\\\\033[31mred\\\\033[0m \\\\007bell \\\\342\\\\200\\\\256turned\\\\n'; echo the end"
  }
}`,
    };
    const result = await fixture.apply(files);
    assert.equal(result.kind, "applied", JSON.stringify(result).slice(0, 500));
    const text = fixture.plane.logs.map((line) => line.text).join("\n");
    assert.match(text, /lines were left out|the end/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is what is tested
    assert.doesNotMatch(text, /[\u0000-\u0008\u000b-\u001f\u007f\u202e]/);
    assert(Math.max(...fixture.plane.logs.map((line) => line.text.length)) < 10_000);
  });

  it("takes escape sequences out of what an engine prints", async () => {
    const files = {
      "main.tf": `resource "terraform_data" "r" {\n  provisioner "local-exec" {\n    command = "printf '\\\\033[31mred\\\\033[0m \\\\033]0;title\\\\007bell\\\\n'"\n  }\n}`,
    };
    await fixture.apply(files);
    assert(
      fixture.plane.logs.some(({ text }) => text.endsWith("red bell")),
      JSON.stringify(fixture.plane.logs.slice(-8)),
    );
  });

  it("ends an engine that runs longer than its task allows", async () => {
    const files = slow(fixture.folder);
    const plan = await fixture.plan(files);
    const saved = { artefact: plan.artefact ?? "", digest: plan.artefactDigest ?? "", ...plan.prior };
    const result = await fixture.plane.run(fixture.spec(files, { kind: "apply", plan: saved, timeoutSeconds: 1 }));
    assert(result.kind === "failed", JSON.stringify(result));
    assert.deepEqual([result.failure.code, result.effects], ["ENGINE_TIMED_OUT", "possible"]);
    assert(namesIn(fixture.plane.states.get(UNIT)).includes("first"));
  });

  it("says when the disk is full and loses nothing", async (context) => {
    const disk = join(fixture.folder, "disk");
    mkdirSync(disk);
    const mounted = await promisify(execFile)("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", disk]).then(
      () => true,
      () => false,
    );
    if (!mounted) return context.skip("needs the right to mount a tmpfs");
    try {
      await fixture.worker.close();
      fixture.worker = fixture.startWorker({ scratchRoot: join(disk, "scratch") });
      writeFileSync(join(disk, "filler"), Buffer.alloc(240 * 1024));
      const result = await fixture.plane.run(fixture.spec({ "main.tf": 'resource "terraform_data" "a" {}' }));
      assert(result.kind === "failed", JSON.stringify(result));
      assert.deepEqual([result.failure.code, result.effects], ["DISK_FULL", "none"], JSON.stringify(result));
      assert.equal(existsSync(join(disk, "filler")), true);
    } finally {
      await fixture.worker.close();
      await promisify(execFile)("umount", [disk]);
    }
  });
});

/** Processes started for an attempt below this scratch root. */
async function processesOf(scratchRoot: string): Promise<string[]> {
  return readdirSync("/proc").filter((entry) => {
    if (!/^\d+$/.test(entry)) return false;
    try {
      return (
        readFileSync(`/proc/${entry}/environ`, "utf8").includes(`XCF_SCRATCH=${scratchRoot}/`) &&
        !/\) Z /.test(readFileSync(`/proc/${entry}/stat`, "utf8"))
      );
    } catch {
      return false;
    }
  });
}
