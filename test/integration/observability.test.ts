import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import * as chassisMetrics from "@xcloudflow/chassis/chassis-metrics";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { createIds } from "@xcloudflow/chassis/ids";
import { listen } from "@xcloudflow/chassis/listen";
import { createSystemRandom } from "@xcloudflow/chassis/random";
import { startTelemetry, type Telemetry } from "@xcloudflow/chassis/telemetry";
import * as databaseMetrics from "@xcloudflow/database/database-metrics";
import { SCHEMAS } from "@xcloudflow/embedded/schemas";
import { observeOrchestrator } from "@xcloudflow/orchestrator/orchestrator-figures-store";
import * as orchestratorMetrics from "@xcloudflow/orchestrator/orchestrator-metrics";
import type { ChangeSetRow, RunRow, TaskRow } from "@xcloudflow/orchestrator/rows";
import { createSqlOrchestratorStore } from "@xcloudflow/orchestrator/sql-orchestrator-store";
import * as policyMetrics from "@xcloudflow/policy/policy-metrics";
import * as runnerMetrics from "@xcloudflow/runner-host/runner-metrics";
import * as stateMetrics from "@xcloudflow/state/state-metrics";
import { forEachDatabase } from "../support/databases.ts";
import { requireEngine } from "../support/engines.ts";

const root = join(import.meta.dirname, "..", "..");
const promtool = requireEngine("promtool");
const run = promisify(execFile);

const ALERTS = join(root, "deploy", "prometheus", "alerts.yaml");
const DASHBOARDS = join(root, "deploy", "grafana");
const RUNBOOKS = join(root, "docs", "observability.md");
const NOW = new Date("2026-11-26T12:00:00.000Z");
const INSTRUMENTS = [
  chassisMetrics,
  databaseMetrics,
  orchestratorMetrics,
  policyMetrics,
  runnerMetrics,
  stateMetrics,
].flatMap((module) => Object.values(module));

forEachDatabase("metrics", SCHEMAS, (fixture) => {
  let telemetry: Telemetry;
  let scraped = "";
  const failures: unknown[] = [];

  before(async () => {
    telemetry = await startTelemetry({ service: "test", version: "0", prometheus: true });
    const database = fixture.database();
    const clock = createSystemClock();
    const store = createSqlOrchestratorStore(database, clock, createIds(clock, createSystemRandom()));
    const note = (error: unknown): void => void failures.push(error);
    const stops = [
      observeOrchestrator(database, () => NOW, note),
      databaseMetrics.observeOutbox(database, "orchestrator", note),
      runnerMetrics.observeWorker(() => ({ busy: 1, slots: 4 })),
    ];
    for (const [tenant, minutes] of [
      ["acme", 2],
      ["umbrella", 5],
    ] as const) {
      const since = new Date(NOW.getTime() - minutes * 60_000).toISOString();
      await store.transact(tenant, "fill", (tx) =>
        tx.write([
          { put: "worker", row: { id: "w", engines: '{"terraform":"1.9","pulumi":"3"}', seenAt: since } },
          { put: "run", row: { ...RUN, createdAt: since } },
          { put: "task", row: { ...TASK, availableAt: since } },
          { put: "task", row: { ...TASK, id: "task_2", status: "leased" } },
          { put: "task", row: { ...TASK, id: "task_3", availableAt: "2026-11-26T13:00:00.000Z" } },
          { put: "changeSet", row: { ...CHANGE_SET, createdAt: since } },
          { put: "changeSet", row: { ...CHANGE_SET, id: "cs_2", phase: "approved" } },
          { put: "changeSet", row: { ...CHANGE_SET, id: "cs_3", gates: "[]" } },
          {
            put: "lock",
            row: { kind: "unit", name: "prod/a/b", run: "run_1", mode: "exclusive", reason: "", since },
          },
          {
            event: { noun: "run", verb: "requested", subject: "run_1", actor: "user:ada", data: {} },
          },
        ]),
      );
    }
    for (const instrument of INSTRUMENTS) touch(instrument);
    scraped = await scrape(telemetry);
    for (const stop of stops) stop();
  });

  after(() => telemetry.shutdown());

  const value = (series: string): number | undefined => {
    const line = scraped.split("\n").find((text) => text.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  };

  test("queues, runs, locks and approvals of all tenants are counted, and what is not due is not", () => {
    assert.deepEqual(failures, []);
    assert.equal(value('xcf_queue_depth{engine="terraform",pool="apply"}'), 2);
    assert.equal(value('xcf_queue_age_seconds{engine="terraform",pool="apply"}'), 300);
    assert.equal(value('xcf_tasks_leased{engine="terraform",pool="apply"}'), 2);
    assert.equal(value('xcf_queue_depth{engine="pulumi",pool="plan"}'), 0);
    assert.equal(value('xcf_runs{kind="apply",phase="checking",waiting="lock"}'), 2);
    assert.equal(value('xcf_locks_held{kind="unit"}'), 2);
    assert.equal(value('xcf_locks_held{kind="tier"}'), 0);
    assert.equal(value("xcf_approvals_pending"), 2);
    assert.equal(value("xcf_approval_age_seconds"), 300);
    assert.equal(value('xcf_outbox_rows{service="orchestrator"}'), 2);
    assert.ok((value('xcf_outbox_age_seconds{service="orchestrator"}') ?? -1) >= 0);
  });

  test("every metric that a dashboard or an alert names is exported, with its unit in its name", () => {
    const families = new Map(
      [...scraped.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", type]) => [name, type]),
    );
    const files = [ALERTS, ...readdirSync(DASHBOARDS).map((file) => join(DASHBOARDS, file))];
    for (const file of files) {
      const named = new Set(readFileSync(file, "utf8").match(/\bxcf_[a-z_]+/g));
      assert.ok(named.size > 0, `${file} names metrics`);
      for (const name of named) {
        const family = name.replace(/_(bucket|sum|count)$/, "");
        assert.ok(families.has(name) || families.get(family) === "histogram", `${name} of ${file} is exported`);
      }
    }
    for (const [name, type] of families) {
      if (type === "histogram") assert.match(name, /_seconds$/);
      if (type === "counter") assert.match(name, /_total$/);
    }
  });
});

test("every alert has a runbook that is there", () => {
  const alerts = readFileSync(ALERTS, "utf8");
  const names = [...alerts.matchAll(/- alert: (\S+)/g)].map(([, name = ""]) => name);
  const links = [...alerts.matchAll(/runbook: docs\/observability\.md#(\S+)/g)].map(([, anchor]) => anchor);
  assert.deepEqual(
    links,
    names.map((name) => name.toLowerCase()),
  );
  const headings = [...readFileSync(RUNBOOKS, "utf8").matchAll(/^### (\S+)$/gm)].map(([, name]) => name);
  for (const name of names) assert.ok(headings.includes(name), `docs/observability.md has a runbook for ${name}`);
});

test("alerts fire when they should and not otherwise", { skip: promtool.skip }, async () => {
  await run(promtool.path, ["check", "rules", ALERTS]);
  await run(promtool.path, ["test", "rules", join(root, "deploy", "prometheus", "alerts.test.yaml")]);
});

test("every alert has a test of its firing", () => {
  const tests = readFileSync(join(root, "deploy", "prometheus", "alerts.test.yaml"), "utf8");
  for (const [, name] of readFileSync(ALERTS, "utf8").matchAll(/- alert: (\S+)/g))
    assert.match(tests, new RegExp(`alertname: ${name}\\n\\s+exp_alerts:\\n\\s+- exp_labels`));
});

/** Makes an instrument show up, as its first use would. */
function touch(instrument: unknown): void {
  if (typeof instrument !== "object" || instrument === null) return;
  for (const method of ["add", "record"]) {
    const use: unknown = Reflect.get(instrument, method);
    if (typeof use === "function") Reflect.apply(use, instrument, [1]);
  }
}

async function scrape({ metricsHandler }: Telemetry): Promise<string> {
  const server = createServer(metricsHandler);
  const { url } = await listen(server, { host: "127.0.0.1", port: 0 });
  try {
    return await (await fetch(url)).text();
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const RUN: RunRow = {
  id: "run_1",
  kind: "apply",
  phase: "checking",
  status: "waiting",
  environment: "prod",
  repository: "r",
  changeSet: "cs_1",
  request: "{}",
  actor: "{}",
  idempotencyKey: null,
  waitingKind: "lock",
  waitingFor: "the lock",
  unfinished: 0,
  concurrency: 1,
  failure: null,
  createdAt: NOW.toISOString(),
  endedAt: null,
  sequence: 0,
};

const TASK: TaskRow = {
  id: "task_1",
  run: "run_1",
  unit: "prod/a/b",
  environment: "prod",
  kind: "apply",
  engine: "terraform",
  pool: "apply",
  status: "queued",
  spec: "{}",
  tries: 0,
  attempt: 0,
  worker: null,
  availableAt: NOW.toISOString(),
  leaseExpiresAt: null,
  cancelRequested: false,
  unknownAttempts: "",
  concurrency: 1,
  createdAt: NOW.toISOString(),
};

const CHANGE_SET: ChangeSetRow = {
  id: "cs_1",
  environment: "prod",
  repository: "r",
  digest: "xcf1:sha256:0",
  phase: "open",
  reason: null,
  dirty: false,
  author: "ada",
  authors: "[]",
  gates: '[{"kind":"approval"}]',
  commit: "c",
  series: "s",
  planRun: "run_0",
  applyRun: null,
  parent: null,
  identities: null,
  createdAt: NOW.toISOString(),
  expiresAt: "2026-12-26T12:00:00.000Z",
};
