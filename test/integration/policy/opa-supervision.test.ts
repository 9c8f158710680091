import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { type BundleEvaluator, startBundleEvaluator } from "@xcloudflow/policy/bundle-evaluator";
import { createEvaluatorPool } from "@xcloudflow/policy/evaluator-pool";
import { findOpa } from "@xcloudflow/policy/opa-cli";
import { composeBundle, type PolicyBundle } from "@xcloudflow/policy/policy-bundle";
import { createPolicyTools } from "@xcloudflow/policy/policy-tools";
import { z } from "zod";
import { requireEngine } from "../../support/engines.ts";

const opa = requireEngine("opa");
const folder = mkdtempSync(join(tmpdir(), "xcf-t-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function bundleOf(text: string): PolicyBundle {
  const policies = [{ path: "policies/main.rego", content: Buffer.from(text) }];
  return composeBundle(policies, [], { regoVersion: "v1", dataRoot: "data" });
}

const simple = bundleOf('package main\n\ndeny contains "no" if input.no\n');
const item = { document: Buffer.from('{"no": true}'), file: { name: "x", dir: "" } };
const start = (bundle: PolicyBundle, evaluateTimeoutMs = 5_000): Promise<BundleEvaluator> =>
  startBundleEvaluator(bundle, { binary: opa.path, folder, startTimeoutMs: 5_000, evaluateTimeoutMs });

async function ask(evaluator: BundleEvaluator): Promise<unknown> {
  const [[reply] = []] = await evaluator.evaluate([item], evaluator.index.namespaces);
  return reply?.answer.found["deny"];
}

function isRunning(pid: number): boolean {
  // A process that is dead and not yet reaped by its new parent counts as gone.
  const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, "utf8") : "";
  return stat !== "" && !/\) Z /.test(stat);
}

async function untilGone(pid: number): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (isRunning(pid)) {
    assert.ok(Date.now() < deadline, `process ${pid} is still there`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe("a resident OPA", { skip: opa.skip }, () => {
  test("listens on a socket nobody else can reach, and leaves nothing behind", async () => {
    const evaluator = await start(simple);
    const [scratch = ""] = readdirSync(folder);
    assert.equal(statSync(join(folder, scratch)).mode & 0o777, 0o700);
    assert.deepEqual(await ask(evaluator), ["no"]);
    await evaluator.server.stop();
    assert.equal(isRunning(evaluator.server.pid), false);
    assert.deepEqual(readdirSync(folder), []);
  });

  test("is started again when it dies, also in the middle of a question", async () => {
    const pool = createEvaluatorPool({ capacity: 2, start });
    const pids: number[] = [];
    const dying = await pool.use("t", simple, async (evaluator) => {
      pids.push(evaluator.server.pid);
      if (pids.length === 1) process.kill(evaluator.server.pid, "SIGKILL");
      return ask(evaluator);
    });
    assert.deepEqual(dying, ["no"]);
    assert.equal(new Set(pids).size, 2);
    await pool.close();
    for (const pid of pids) await untilGone(pid);
  });

  test("that dies again and again is an error, never an answer", async () => {
    const pool = createEvaluatorPool({ capacity: 2, start });
    const asked = pool.use("t", simple, async (evaluator) => {
      process.kill(evaluator.server.pid, "SIGKILL");
      return ask(evaluator);
    });
    await assert.rejects(asked, { code: "POLICY_UNAVAILABLE" });
    await pool.close();
  });

  test("that hangs is an error in time, and is replaced", async () => {
    const pool = createEvaluatorPool({ capacity: 2, start: (bundle) => start(bundle, 300) });
    const hung = pool.use("t", simple, async (evaluator) => {
      process.kill(evaluator.server.pid, "SIGSTOP");
      return ask(evaluator);
    });
    await assert.rejects(hung, { code: "POLICY_UNAVAILABLE" });
    assert.deepEqual(await pool.use("t", simple, ask), ["no"]);
    await pool.close();
  });

  test("is stopped in the middle of a policy without end", async () => {
    const endless = bundleOf(
      'package main\n\ndeny contains "x" if {\n\tsome a in numbers.range(1, 1000000)\n\tsome b in numbers.range(1, 1000000)\n\ta * b == -1\n}\n',
    );
    const pool = createEvaluatorPool({ capacity: 1, start: (bundle) => start(bundle, 300) });
    let pid = 0;
    const asked = pool.use("t", endless, (evaluator) => {
      pid = evaluator.server.pid;
      return ask(evaluator);
    });
    await assert.rejects(asked, { code: "POLICY_UNAVAILABLE" });
    await untilGone(pid);
    await pool.close();
  });

  test("is one per tenant and bundle, and the one least recently asked makes room", async () => {
    const started: string[] = [];
    const pool = createEvaluatorPool({
      capacity: 2,
      start: (bundle) => {
        started.push(bundle.revision.slice(7, 11));
        return start(bundle);
      },
    });
    const [a, b, c] = ["a", "b", "c"].map((name) => bundleOf(`package main\n\ndeny contains "${name}" if true\n`));
    if (a === undefined || b === undefined || c === undefined) throw new Error("three bundles");
    const pid = (tenant: string, bundle: PolicyBundle) => pool.use(tenant, bundle, async ({ server }) => server.pid);
    const [first, again] = await Promise.all([pid("t", a), pid("t", a)]);
    assert.equal(first, again);
    assert.notEqual(await pid("u", a), first);
    assert.equal(await pid("t", a), first);
    await pid("t", b);
    assert.equal(await pid("t", a), first);
    await pid("t", c);
    assert.equal(started.length, 4);
    assert.notEqual(await pid("t", b), first);
    assert.equal(started.length, 5);
    await pool.close();
    await untilGone(first);
  });

  test("goes when its owner is killed, and its files with the next owner", async () => {
    const owner = fork(join(import.meta.dirname, "opa-owner-main.ts"), [opa.path, folder], { stdio: "ignore" });
    const [message] = await once(owner, "message");
    const pid = z.number().parse(message);
    assert.ok(isRunning(pid));
    const ended = once(owner, "exit");
    owner.kill("SIGKILL");
    await ended;
    await untilGone(pid);
    assert.equal(readdirSync(folder).length, 1);
    const tools = createPolicyTools({ opa: { configured: opa.path }, folder });
    await tools.opa();
    assert.deepEqual(readdirSync(folder), []);
    await tools.close();
  });

  test("cannot be asked after the pool is closed", async () => {
    const pool = createEvaluatorPool({ capacity: 1, start });
    await pool.close();
    await assert.rejects(pool.use("t", simple, ask), { code: "POLICY_UNAVAILABLE" });
  });

  test("sees nothing of our environment", async () => {
    const evaluator = await start(simple);
    const environment = readFileSync(`/proc/${evaluator.server.pid}/environ`, "utf8").split("\0").filter(Boolean);
    assert.deepEqual(
      environment.map((entry) => entry.split("=")[0]).filter((name) => !/^(GO|PATH|PWD|OLDPWD|_)/.test(name ?? "")),
      [],
    );
    await evaluator.server.stop();
  });
});

describe("finding OPA", () => {
  test("the first that is new enough wins, in the order configured, PATH, tools cache", {
    skip: opa.skip,
  }, async () => {
    const old = join(folder, "old");
    const cache = join(folder, "cache");
    for (const [place, version] of [
      [old, "0.70.0"],
      [cache, "1.5.0"],
    ] as const) {
      rmSync(place, { recursive: true, force: true });
      mkdirSync(place);
      writeFileSync(join(place, "opa"), `#!/bin/sh\necho "Version: ${version}"\n`);
      chmodSync(join(place, "opa"), 0o755);
    }
    assert.equal((await findOpa({ configured: opa.path, path: old, toolsFolder: cache })).path, opa.path);
    assert.deepEqual(await findOpa({ path: old, toolsFolder: cache }), { path: join(cache, "opa"), version: "1.5.0" });
    await assert.rejects(findOpa({ path: old }), /0\.70\.0, older than 1\.0/);
    await assert.rejects(findOpa({ configured: join(folder, "missing"), path: cache }), { code: "OPA_MISSING" });
    rmSync(old, { recursive: true });
    rmSync(cache, { recursive: true });
  });
});
