import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { POOLS } from "@xcloudflow/mesh/mesh-plan";
import { z } from "zod";
import { type CommandEnd, meshIsMissing, type RunningMesh, startRunningMesh } from "../support/mesh-fixture.ts";
import { type CollectedSpan, type OtlpCollector, startOtlpCollector } from "../support/otlp-collector.ts";

const skip = meshIsMissing("terraform");
const WAIT_MS = 30_000;
const SECRET = "canary-8c1f77aa02";

/** One unit, whose engine tells what trace it is in, and which takes a secret. */
const repositoryThatTells = (file: string): Record<string, string> => ({
  ".gitignore": ".xcf/\n",
  ".xcf.yaml": "kind: Platform\nmetadata: {name: platform}\nspec: {}\n",
  "envs/dev/environment.yaml":
    "kind: Environment\nmetadata: {name: dev}\nspec:\n  tier: development\n  approvals: {selfApproval: true}\n" +
    "  compositions:\n    - ref: compositions/shop\n",
  "compositions/shop.yaml":
    "kind: Composition\nmetadata: {name: shop}\nspec:\n  lifecycle: Application\n  modules:\n    - name: web\n" +
    "      ref: modules/web\n      inputs:\n        password: secret://env/SHOP_PASSWORD\n",
  "modules/web/main.tf":
    'variable "password" {\n  sensitive = true\n}\nresource "terraform_data" "this" {\n  input = var.password\n' +
    `  provisioner "local-exec" {\n    command = "printenv TRACEPARENT > ${file}"\n  }\n}\n`,
});

describe("a change over the mesh", { skip }, () => {
  let collector: OtlpCollector;
  let running: RunningMesh;
  const ends: CommandEnd[] = [];

  before(async () => {
    collector = await startOtlpCollector();
    const extra = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, XCF_SECRET_SHOP_PASSWORD: SECRET };
    running = await startRunningMesh({ replicas: 1, workers: 1, pools: POOLS, extra });
    await running.commit(repositoryThatTells(join(running.folder, "traceparent")));
  });
  after(async () => {
    await running.dispose();
    await collector.close();
  });

  async function xcf(...words: readonly string[]): Promise<CommandEnd> {
    const end = await running.xcf(words, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
    ends.push(end);
    return end;
  }

  /** The spans of the trace that a verb began, once everything named has arrived and no parent is missing. */
  async function traceOf(verb: string, ...expected: readonly string[]): Promise<CollectedSpan[]> {
    let missing = "";
    const find = (spans: readonly CollectedSpan[]): CollectedSpan[] | undefined => {
      const root = spans.findLast((span) => span.name === `xcf ${verb}` && span.parentSpanId === "");
      const trace = spans.filter((span) => span.traceId === root?.traceId);
      const known = new Set(trace.map((span) => span.spanId));
      const orphans = trace.filter((span) => span.parentSpanId !== "" && !known.has(span.parentSpanId));
      const heard = new Set(trace.map((span) => `${span.service}: ${span.name}`));
      missing = [
        ...expected.filter((name) => !heard.has(name)),
        ...orphans.map((span) => `the parent of ${span.service}: ${span.name}`),
      ].join(", ");
      return trace.length > 0 && missing === "" ? trace : undefined;
    };
    return await collector.waitFor(find, WAIT_MS).catch((cause: unknown) => {
      throw new Error(`the trace of xcf ${verb} lacks ${missing}`, { cause });
    });
  }

  test("is one trace a verb, from the command line through every service to the engine's process", async () => {
    const planned = await xcf("plan", "-o", "json");
    assert.equal(planned.code, 2, planned.err);
    const { id } = z.object({ id: z.string() }).parse(JSON.parse(planned.out));
    await traceOf(
      "plan",
      "api: xcloudflow.api.v1.ApiService/StartRun",
      "orchestrator: xcloudflow.orchestrator.v1.OrchestratorService/StartRun",
      "planner: xcloudflow.planner.v1.PlannerService/Compile",
      "router: xcloudflow.router.v1.RouterService/Route",
      "policy: xcloudflow.policy.v1.PolicyService/Evaluate",
      "planner: xcloudflow.planner.v1.PlannerService/Assemble",
      "state: xcloudflow.state.v1.StateService/PutChangeSet",
      "secrets: xcloudflow.secrets.v1.SecretsService/Resolve",
      "runner-terraform: attempt plan",
    );
    const applied = await xcf("apply", id);
    assert.equal(applied.code, 0, applied.err);
    const trace = await traceOf(
      "apply",
      "api: xcloudflow.api.v1.ApiService/StartRun",
      "orchestrator: drive apply executing",
      "runner-terraform: attempt apply",
      "runner-terraform: attempt verify",
      "state: xcloudflow.state.v1.StateService/PutApplied",
    );
    const engine = trace.find((span) => span.attributes.get("xcf.engine.verb") === "apply");
    assert.ok(engine, "the engine's process has a span");
    const path = pathOf(engine, trace);
    assert.deepEqual(
      [...new Set(path.map((span) => span.service))],
      ["xcf", "api", "orchestrator", "runner-terraform"],
      path.map((span) => `${span.service}: ${span.name}`).join(" > "),
    );
    const told = await readFile(join(running.folder, "traceparent"), "utf8");
    assert.deepEqual(told.trim().split("-").slice(1, 3), [engine.traceId, engine.spanId]);
  });

  test("leaves no secret in any span, log or answer", async () => {
    const places = [
      Buffer.concat(collector.bodies).toString("latin1"),
      ...ends.map(({ out, err }) => out + err),
      ...(await Promise.all(
        [...running.mesh.processes.keys()].map((name) =>
          readFile(join(running.mesh.folder.path, "logs", `${name}.log`), "utf8"),
        ),
      )),
    ];
    assert.ok(places.join("").length > 20_000);
    for (const text of places)
      for (const secret of [SECRET, running.mesh.adminToken, running.mesh.folder.secrets.nats])
        assert.ok(!text.includes(secret));
  });
});

/** From the root to the span. */
function pathOf(span: CollectedSpan, trace: readonly CollectedSpan[]): CollectedSpan[] {
  const parent = trace.find((other) => other.spanId === span.parentSpanId);
  return parent === undefined ? [span] : [...pathOf(parent, trace), span];
}
