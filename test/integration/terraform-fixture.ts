import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { silentLogger } from "@xcloudflow/chassis/logger";
import type { TaskResult } from "@xcloudflow/model/task-result";
import type { TaskSpec } from "@xcloudflow/model/task-spec";
import type { UnitPlan } from "@xcloudflow/model/unit-plan";
import type { Engine } from "@xcloudflow/runner-host/engine";
import { engineEnvironment } from "@xcloudflow/runner-host/engine-environment";
import { createWorker, type Worker, type WorkerOptions } from "@xcloudflow/runner-host/worker-loop";
import { createTerraformEngine } from "@xcloudflow/runner-terraform/terraform-engine";
import { createTestControlPlane, type TestControlPlane } from "./terraform-control-plane.ts";
import { digestOfBytes, tarOf } from "./terraform-module-archive.ts";

export const UNIT = "dev/shop/db";
export type Files = Readonly<Record<string, string>>;

/** One worker with the real engine against the control plane in memory. */
export interface TerraformFixture extends AsyncDisposable {
  readonly plane: TestControlPlane;
  readonly engine: Engine;
  readonly folder: string;
  worker: Worker;
  spec(files: Files, changes?: Partial<TaskSpec>): TaskSpec;
  plan(files: Files, changes?: Partial<TaskSpec>): Promise<UnitPlan>;
  /** Plans, applies the plan and answers the result. */
  apply(files: Files, changes?: Partial<TaskSpec>): Promise<TaskResult>;
  startWorker(changes?: Partial<WorkerOptions>): Worker;
}

export async function createTerraformFixture(
  changes: Partial<WorkerOptions> = {},
  engineOptions: { readonly binary?: string; readonly cliConfigFile?: string } = {},
): Promise<TerraformFixture> {
  const plane = await createTestControlPlane();
  const folder = mkdtempSync(join(tmpdir(), "xcf-terraform-"));
  const environment = engineEnvironment(process.env);
  const clock = createSystemClock();
  const engine = await createTerraformEngine({
    cacheRoot: join(folder, "cache"),
    environment,
    clock,
    ...engineOptions,
  }).catch(async (error: unknown) => {
    await plane.close();
    throw error;
  });

  function startWorker(more: Partial<WorkerOptions> = {}): Worker {
    return createWorker({
      clientsOf: () => plane,
      tenant: "default",
      name: "worker-1",
      engines: [engine],
      clock,
      logger: silentLogger,
      scratchRoot: join(folder, "scratch"),
      cacheRoot: join(folder, "cache"),
      stateHttpAddress: plane.address,
      concurrency: 2,
      environment,
      tickMilliseconds: 50,
      heartbeatMilliseconds: 300,
      claimWaitSeconds: 5,
      ...changes,
      ...more,
    });
  }

  function spec(files: Files, more: Partial<TaskSpec> = {}): TaskSpec {
    const tar = tarOf(
      Object.fromEntries(
        Object.entries(files).map(([path, text]) => [path.includes("/") ? path : `modules/db/${path}`, text]),
      ),
    );
    const archive = digestOfBytes(tar);
    plane.artefacts.set(archive, tar);
    return {
      kind: "plan",
      tenant: "default",
      address: UNIT,
      engine: "terraform",
      environment: "dev",
      module: { archive, path: "modules/db", contentHash: archive },
      inputs: {},
      provisional: false,
      destroy: false,
      replace: [],
      engineConfig: {},
      credentials: {},
      ignoreDrift: [],
      timeoutSeconds: 120,
      ...more,
    };
  }

  const fixture: TerraformFixture = {
    plane,
    engine,
    folder,
    worker: startWorker(),
    spec,
    startWorker,
    async plan(files, more) {
      const result = await plane.run(spec(files, more));
      if (result.kind !== "planned") throw new Error(`not planned: ${JSON.stringify(result)}`);
      return result.plan;
    },
    async apply(files, more) {
      const plan = await fixture.plan(files, more);
      if (plan.artefact === undefined || plan.artefactDigest === undefined)
        throw new Error(`nothing to apply: ${plan.status}`);
      const saved = { artefact: plan.artefact, digest: plan.artefactDigest, ...plan.prior };
      return plane.run(spec(files, { ...more, kind: "apply", plan: saved, engineVersion: plan.engineVersion }));
    },
    async [Symbol.asyncDispose]() {
      await fixture.worker.close({ cancel: true });
      await plane.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return fixture;
}
