import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { z } from "zod";
import { requireEngine } from "../../support/engines.ts";
import { type CollectedSpan, type OtlpCollector, startOtlpCollector } from "../../support/otlp-collector.ts";
import { SMALL_MONOREPO } from "../../support/small-monorepo.ts";
import { createTestRepository, type Outcome, type TestRepository } from "../../support/xcf-cli.ts";

const terraform = requireEngine("terraform");
const opa = requireEngine("opa");
const skip = terraform.skip || opa.skip;
const LEAD = "lead@example.com/platform-leads";
const SECRET = "canary-5f1d2c7e9b";
const WAIT_MS = 20_000;

/** As the small monorepo; the shop's module takes a secret, the network's has its engine tell what trace it is in. */
const REPOSITORY = {
  ...SMALL_MONOREPO,
  "compositions/shop.yaml": (SMALL_MONOREPO["compositions/shop.yaml"] ?? "").replace(
    "replicas: 2",
    "replicas: 2\n        password: secret://env/SHOP_PASSWORD",
  ),
  "modules/network/main.tf": (SMALL_MONOREPO["modules/network/main.tf"] ?? "").replace(
    "input = { cidr = var.cidr }",
    'input = { cidr = var.cidr }\n  provisioner "local-exec" {\n    command = "printenv TRACEPARENT > $HOME/traceparent"\n  }',
  ),
  "modules/shop/main.tf": `variable "password" {\n  sensitive = true\n}\n${SMALL_MONOREPO["modules/shop/main.tf"]}`,
};

const serverSchema = z.object({ metrics: z.string() });

let collector: OtlpCollector;
let repository: TestRepository;
let server: ChildProcess;
let metricsUrl: string;
let log = "";
const outcomes: Outcome[] = [];

before(async () => {
  if (skip !== false) return;
  collector = await startOtlpCollector();
  repository = await createTestRepository();
  await repository.commit(REPOSITORY);
  const environment = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    SHOP_PASSWORD: SECRET,
    XCF_LOG: "debug",
    XCF_TERRAFORM: terraform.path,
  };
  server = await repository.start(["up", "-o", "json", "--metrics-port", "0"], { environment });
  server.stderr?.on("data", (bytes: Buffer) => {
    log += bytes.toString("utf8");
  });
  if (server.stdout === null) throw new Error("the server has no output");
  let text = "";
  for await (const line of createInterface({ input: server.stdout })) {
    text += line;
    if (line === "}") break;
  }
  metricsUrl = serverSchema.parse(JSON.parse(text)).metrics;
});

after(async () => {
  if (skip !== false) return;
  server.kill("SIGTERM");
  if (server.exitCode === null) await once(server, "exit");
  await repository.dispose();
  await collector.close();
});

async function xcf(words: readonly string[], as?: string): Promise<Outcome> {
  const outcome = await repository.xcf(words, {
    ...(as === undefined ? {} : { as }),
    environment: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url },
  });
  outcomes.push(outcome);
  return outcome;
}

/** The spans of the trace that a verb began, once everything named has arrived. */
async function traceOf(verb: string, ...expected: readonly string[]): Promise<CollectedSpan[]> {
  let missing = "";
  const find = (spans: readonly CollectedSpan[]): CollectedSpan[] | undefined => {
    const root = spans.findLast((span) => span.name === `xcf ${verb}` && span.parentSpanId === "");
    const trace = spans.filter((span) => span.traceId === root?.traceId);
    const parents = new Set(trace.map((span) => span.spanId));
    const orphans = trace.filter((span) => span.parentSpanId !== "" && !parents.has(span.parentSpanId));
    const absent = expected.filter((name) => !trace.some((span) => span.name === name));
    missing = [...absent, ...orphans.map((span) => `the parent of ${span.name}`)].join(", ");
    return trace.length > 0 && missing === "" ? trace : undefined;
  };
  return collector.waitFor(find, WAIT_MS).catch((cause: unknown) => {
    throw new Error(`the trace of xcf ${verb} lacks ${missing}`, { cause });
  });
}

test("one change is one trace a verb: command line, services, runner and engine", { skip }, async () => {
  const planned = await xcf(["plan", "-o", "json"]);
  assert.equal(planned.code, 2, planned.err);
  const { id } = z.object({ id: z.string() }).parse(JSON.parse(planned.out));
  await traceOf(
    "plan",
    "xcloudflow.api.v1.ApiService/StartRun",
    "xcloudflow.planner.v1.PlannerService/Compile",
    "xcloudflow.policy.v1.PolicyService/Evaluate",
    "orchestrator.start-run",
    "attempt plan",
  );
  assert.equal((await xcf(["approve", id], LEAD)).code, 0);
  await traceOf("approve", "xcloudflow.orchestrator.v1.OrchestratorService/Approve");
  const applied = await xcf(["apply", id]);
  assert.equal(applied.code, 0, applied.err);
  const trace = await traceOf("apply", "attempt apply", "attempt verify", "drive apply executing");
  const engines = trace.filter((span) => span.attributes.get("xcf.engine.verb") === "apply");
  assert.equal(engines.length, 3, "one engine process that applies for each unit");
  for (const engine of engines) {
    const path = pathOf(engine, trace);
    assert.deepEqual([path[0]?.service, path.at(-1)?.service], ["xcf", "xcf-embedded"]);
    const names = path.map((span) => span.name);
    assert.ok(names.includes("xcloudflow.orchestrator.v1.OrchestratorService/StartRun"), names.join(" > "));
    assert.ok(names.includes("attempt apply"), names.join(" > "));
  }
  const told = await readFile(join(repository.environment()["HOME"] ?? "", "traceparent"), "utf8");
  const [, traceId, spanId] = told.trim().split("-");
  assert.equal(traceId, trace[0]?.traceId);
  assert.ok(engines.some((engine) => engine.spanId === spanId));
  const served = trace.filter((span) => span.attributes.has("rpc.method") && span.kind === 2);
  assert.deepEqual(new Set(served.map((span) => span.attributes.get("xcf.tenant"))), new Set(["default"]));
});

test("a call that is refused says so in its span, by its code only", { skip }, async () => {
  const refused = await xcf(["show", "cs_nothing"]);
  assert.notEqual(refused.code, 0);
  const trace = await traceOf("show", "xcloudflow.api.v1.ApiService/GetChangeSet");
  const call = trace.find((span) => span.name === "xcloudflow.api.v1.ApiService/GetChangeSet" && span.kind === 3);
  assert.equal(call?.attributes.get("rpc.response.status_code"), "NotFound");
  assert.equal(call?.status, 2);
});

test("whatever is done by the clock leaves no spans of its own", { skip }, () => {
  const roots = collector.spans.filter((span) => span.parentSpanId === "").map((span) => span.name);
  assert.deepEqual(
    roots.filter((name) => !name.startsWith("xcf ")),
    [],
  );
});

test("metrics of all services are there to be scraped", { skip }, async () => {
  const text = await (await fetch(metricsUrl)).text();
  const names = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
  for (const name of [
    "xcf_rpc_server_duration_seconds",
    "xcf_rpc_client_duration_seconds",
    "xcf_database_transaction_duration_seconds",
    "xcf_step_duration_seconds",
    "xcf_engine_process_duration_seconds",
    "xcf_policy_decision_duration_seconds",
    "xcf_queue_depth",
    "xcf_queue_age_seconds",
    "xcf_outbox_rows",
    "xcf_outbox_age_seconds",
    "xcf_locks_held",
    "xcf_approvals_pending",
    "xcf_worker_slots",
  ])
    assert.ok(names.has(name), `${name} is among ${[...names].join(", ")}`);
  assert.match(text, /^xcf_step_duration_seconds_count\{engine="terraform",kind="apply",outcome="applied"\} 3$/m);
  assert.match(text, /^xcf_outbox_rows\{service="orchestrator"\} \d+$/m);
  assert.equal((await fetch(new URL("/", metricsUrl))).status, 404);
});

test("log lines of a call name its trace", { skip }, () => {
  const traces = new Set(collector.spans.map((span) => span.traceId));
  const lines = log
    .split("\n")
    .filter((line) => line.includes("PlannerService/Compile"))
    .map((line) => z.looseObject({ trace_id: z.string(), span_id: z.string() }).parse(JSON.parse(line)));
  assert.ok(lines.length > 0);
  for (const { trace_id } of lines) assert.ok(traces.has(trace_id));
});

test("no secret is in a span, a metric or a log line", { skip }, async () => {
  const token = (await readFile(join(repository.folder, ".xcf", "token"), "utf8")).trim();
  const places = {
    spans: Buffer.concat(collector.bodies).toString("latin1"),
    metrics: await (await fetch(metricsUrl)).text(),
    log,
    output: outcomes.map(({ out, err }) => out + err).join("\n"),
  };
  assert.ok(places.spans.length > 10_000 && places.log.length > 10_000);
  for (const [place, text] of Object.entries(places))
    for (const secret of [SECRET, token]) assert.ok(!text.includes(secret), `a secret is in ${place}`);
});

/** From the root to the span. */
function pathOf(span: CollectedSpan, trace: readonly CollectedSpan[]): CollectedSpan[] {
  const parent = trace.find((other) => other.spanId === span.parentSpanId);
  return parent === undefined ? [span] : [...pathOf(parent, trace), span];
}
