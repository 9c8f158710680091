import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createSystemClock, pause } from "@xcloudflow/chassis/clock";
import { type Mesh, startMesh } from "@xcloudflow/mesh/mesh";
import { POOLS } from "@xcloudflow/mesh/mesh-plan";
import { findMeshTools } from "@xcloudflow/mesh/mesh-tools";
import { requireEngine } from "../support/engines.ts";
import { holdRequests } from "../support/held-requests.ts";
import { ledgerMonorepo, SELF_APPROVED } from "../support/ledger-monorepo.ts";
import { createTestRepository, type TestRepository } from "../support/xcf-cli.ts";

const skip = ["terraform", "opa", "nats-server"].map((name) => requireEngine(name).skip).find((why) => why !== false);
const clock = createSystemClock();

describe("workers of a mesh that are asked to end in the middle of their work", { skip: skip ?? false }, () => {
  let top = "";
  let mesh: Mesh;
  let repository: TestRepository;

  before(async () => {
    top = await mkdtemp(join(tmpdir(), "xcf-mesh-drain-"));
    // PostgreSQL refuses root, and its own user must get to its data.
    await chmod(top, 0o711);
    repository = await createTestRepository();
    mesh = await startMesh({
      plan: { replicas: 1, workers: 2, pools: POOLS },
      folder: join(top, "mesh"),
      sources: dirname(dirname(import.meta.dirname)),
      node: process.execPath,
      tools: findMeshTools(process.env),
      repositories: [repository.folder],
      clock,
    });
  });
  after(async () => {
    await mesh?.stop();
    await repository?.dispose();
    await rm(top, { recursive: true, force: true });
  });

  const environment = () => ({ XCF_SERVER: mesh.urls[0] ?? "", XCF_TOKEN: mesh.adminToken });
  async function xcf(code: number, ...words: string[]): Promise<string> {
    const outcome = await repository.xcf(words, { environment: environment() });
    assert.equal(outcome.code, code, `xcf ${words.join(" ")}: ${outcome.out}${outcome.err}`);
    return outcome.out;
  }
  /** The worker of a pool that has an attempt now, by its process in the attempt's line of `why`. */
  async function workerAt(pool: string): Promise<string> {
    for (const deadline = clock.now().getTime() + 30_000; clock.now().getTime() < deadline; await pause(clock, 100)) {
      const why = await xcf(0, "why", "dev/shop/unit");
      const [, pid] = new RegExp(`on ${pool}-\\S*-(\\d+) is running`).exec(why) ?? [];
      const found = [...mesh.processes.values()].find((process) => process.pid === Number(pid));
      if (found !== undefined) return found.name;
    }
    return assert.fail(`no worker of ${pool} has an attempt`);
  }
  async function untilRestarted(name: string, starts: number): Promise<void> {
    const process = mesh.processes.get(name);
    const deadline = clock.now().getTime() + 60_000;
    while ((process?.starts ?? 0) <= starts) {
      assert.ok(clock.now().getTime() < deadline, `${name} has not ended`);
      await pause(clock, 50);
    }
  }

  test("a plan is made by another worker, an apply is finished first, and nothing is applied twice", {
    timeout: 300_000,
  }, async () => {
    await using held = await holdRequests();
    const ledger = join(top, "ledger");
    const go = join(top, "go-on");
    await repository.commit(
      ledgerMonorepo(
        ledger,
        [
          {
            name: "shop",
            slow: `touch ${go}.begun; while [ ! -e ${go} ]; do sleep 0.05; done`,
            more: `data "terraform_remote_state" "other" {\n  backend = "http"\n  config  = { address = "${held.url}" }\n}\n`,
          },
        ],
        SELF_APPROVED,
      ),
    );

    const planning = repository.xcf(["plan"], { environment: environment() });
    await held.asked();
    const planner = await workerAt("plan");
    const plannerStarts = mesh.processes.get(planner)?.starts ?? 0;
    mesh.processes.get(planner)?.signal("SIGTERM");
    // The drain time of this mesh passes first; then terraform is interrupted, and says so.
    const logs = join(mesh.folder.path, "logs");
    await untilRestarted(planner, plannerStarts);
    held.answer();
    const planned = await planning;
    assert.equal(planned.code, 2, planned.out + planned.err);
    assert.match(await readFile(join(logs, `${planner}.log`), "utf8"), /draining.*\n.*ended/s);
    const why = await xcf(0, "why", "dev/shop/unit");
    assert.match(why, /canceled: worker plan-\S+ ended before the attempt did/);
    assert.equal([...why.matchAll(/attempt \d+ on plan-/g)].length, 2, why);

    const applying = repository.xcf(["apply"], { environment: environment() });
    const applier = await workerAt("apply");
    const applierStarts = mesh.processes.get(applier)?.starts ?? 0;
    while (!(await exists(`${go}.begun`))) await pause(clock, 50);
    mesh.processes.get(applier)?.signal("SIGTERM");
    while (!(await readFile(join(logs, `${applier}.log`), "utf8")).includes("draining")) await pause(clock, 50);
    await writeFile(go, "");
    const applied = await applying;
    assert.equal(applied.code, 0, applied.out + applied.err);
    await untilRestarted(applier, applierStarts);
    assert.equal(await readFile(ledger, "utf8"), "create shop 1\n");
    assert.equal([...(await xcf(0, "why", "dev/shop/unit")).matchAll(/attempt \d+ on apply-/g)].length, 1);
  });
});

async function exists(path: string): Promise<boolean> {
  return (await readFile(path).catch(() => undefined)) !== undefined;
}
