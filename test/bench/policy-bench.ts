import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { as, serviceCaller } from "@xcloudflow/chassis/caller";
import { createCodedClient } from "@xcloudflow/chassis/clients";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { createIds } from "@xcloudflow/chassis/ids";
import { silentLogger } from "@xcloudflow/chassis/logger";
import { createMemoryTransport } from "@xcloudflow/chassis/memory-transport";
import { createSystemRandom } from "@xcloudflow/chassis/random";
import { judgeSubjects } from "@xcloudflow/policy/judge-subjects";
import { policySchema } from "@xcloudflow/policy/migrations/migrations";
import { defineBundle, type PolicyFile } from "@xcloudflow/policy/policy-bundle";
import { createPolicyService } from "@xcloudflow/policy/policy-service";
import { PolicyService } from "@xcloudflow/proto/policy/v1/policy_pb";
import { openFreshPglite } from "../support/databases.ts";
import { requireEngine } from "../support/engines.ts";

// P7: the resident OPA beside one conftest process per question, interleaved, on the policy library and the same plans.

const library = join(import.meta.dirname, "../../examples/policy-library");
const run = promisify(execFile);

interface Measured {
  readonly name: string;
  readonly times: number[];
  /** Processor milliseconds of a call, ours and OPA's or the peer's: what a busy machine does not change. */
  cpu?: number;
}

/** Processor time that a process has used, in ms; Linux counts it in hundredths of a second. */
function processorTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

/** What `times` of a shell says its children used, in ms: `0m0.05s 0m0.02s` on its second line. */
function childrenTime(times: string): number {
  const parts =
    times
      .trim()
      .split("\n")
      .at(-1)
      ?.match(/(\d+)m([\d.]+)s/g) ?? [];
  return parts.reduce((sum, part) => {
    const [minutes = "0", seconds = "0"] = part.replace("s", "").split("m");
    return sum + 1000 * (60 * Number(minutes) + Number(seconds));
  }, 0);
}

/** What is left is three policies that most repositories have: tags, regions, nothing protected destroyed. */
const OTHER_POLICIES =
  /(public_buckets|cost_threshold|instance_sizes|encryption_required|change_freeze)(_test)?\.rego$/;
const PEER_ROUNDS = 40;

function readFiles(policies: string): PolicyFile[] {
  return readdirSync(policies, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path: join("policies", relative(policies, path)), content: readFileSync(path) }));
}

function quantile({ times }: Measured, q: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

async function measure(into: Measured, work: () => Promise<unknown>): Promise<void> {
  const start = performance.now();
  await work();
  into.times.push(performance.now() - start);
}

/** Of OPA and of ourselves together. */
async function measureProcessor(pid: number, work: () => Promise<unknown>): Promise<number> {
  const before = { opa: processorTime(pid), own: process.cpuUsage() };
  for (let round = 0; round < PEER_ROUNDS; round++) await work();
  const own = process.cpuUsage(before.own);
  return (processorTime(pid) - before.opa + (own.user + own.system) / 1000) / PEER_ROUNDS;
}

async function measurePeerProcessor(command: readonly string[]): Promise<number> {
  const script = 'n=$1; shift; while [ "$n" -gt 0 ]; do "$@" >/dev/null; n=$((n - 1)); done; times';
  const { stdout } = await run("/bin/sh", ["-c", script, "sh", String(PEER_ROUNDS), ...command]);
  return childrenTime(stdout) / PEER_ROUNDS;
}

/** A plan of resources that the library's policies all look at and mostly allow. */
function planOf(unit: string, changes: number): Buffer {
  const tags = { owner: "payments", "cost-center": "4711", environment: "prod" };
  const types = ["aws_instance", "aws_s3_bucket", "aws_ebs_volume", "aws_db_instance"];
  const resourceChanges = Array.from({ length: changes }, (_, index) => {
    const type = types[index % types.length] ?? "aws_instance";
    const after = {
      ...{ region: "eu-west-1", tags, tags_all: tags, name: `${unit}-${index}`, acl: "private" },
      ...{
        instance_type: "t3.micro",
        instance_class: "db.t4g.medium",
        encrypted: true,
        storage_encrypted: index % 50 !== 49,
      },
    };
    return {
      address: `${type}.this[${index}]`,
      mode: "managed",
      type,
      name: "this",
      provider_name: "registry.terraform.io/hashicorp/aws",
      change: { actions: ["create"], before: null, after, after_unknown: { id: true, arn: true }, after_sensitive: {} },
    };
  });
  const xcf = { unit, tier: "production", lifecycle: "Platform", cost: { monthlyDelta: "12.40", currency: "USD" } };
  return Buffer.from(JSON.stringify({ format_version: "1.2", resource_changes: resourceChanges, xcf }));
}

function print(name: string, ours: Measured, peer: Measured | undefined, goals: readonly [string, boolean][]): void {
  const format = (milliseconds: number): string => `${milliseconds.toFixed(2)} ms`;
  const figures = [`p50 ${format(quantile(ours, 0.5))}`, `p99 ${format(quantile(ours, 0.99))}`];
  if (peer !== undefined) {
    const ratio = quantile(peer, 0.5) / quantile(ours, 0.5);
    figures.push(`${peer.name} p50 ${format(quantile(peer, 0.5))}`, `ratio ${ratio.toFixed(1)}`);
  }
  if (ours.cpu !== undefined) figures.push(`processor ${format(ours.cpu)}`);
  if (ours.cpu !== undefined && peer?.cpu !== undefined) {
    figures.push(`${peer.name} ${format(peer.cpu)}`, `ratio ${(peer.cpu / ours.cpu).toFixed(1)}`);
  }
  console.log(`P7 ${name}: ${figures.join(", ")}`);
  for (const [goal, met] of goals) console.log(`   ${met ? "met   " : "MISSED"} ${goal}`);
}

export async function benchPolicy(): Promise<void> {
  const opa = requireEngine("opa");
  const conftest = requireEngine("conftest");
  if (opa.skip !== false) return console.log(`P7 not measured: ${opa.skip}`);
  const folder = mkdtempSync(join(tmpdir(), "xcf-bench-"));
  const database = await openFreshPglite([policySchema]);
  const clock = createSystemClock();
  const ids = createIds(clock, createSystemRandom());
  const options = { database, clock, ids, logger: silentLogger, opa: { configured: opa.path }, folder: tmpdir() };
  const service = createPolicyService(options);
  const transport = createMemoryTransport([service.routes], { logger: silentLogger, clock, newReference: () => "ref" });
  const client = createCodedClient(PolicyService, transport);
  const caller = as(serviceCaller("bench", "orchestrator"));
  try {
    const files = readFiles(join(library, "policies"));
    const cold = performance.now();
    const { revision } = await client.loadBundle({ files }, caller);
    console.log(`P7 a bundle checked, kept and its OPA ready: ${(performance.now() - cold).toFixed(0)} ms`);
    const typical = join(folder, "policies");
    cpSync(join(library, "policies"), typical, { recursive: true, filter: (path) => !OTHER_POLICIES.test(path) });
    for (const { policies, changes, rounds, ratio, p99 } of [
      { policies: typical, changes: 10, rounds: 2000, ratio: 15, p99: 3 },
      { policies: typical, changes: 1000, rounds: 80, ratio: 3, p99: undefined },
      { policies: join(library, "policies"), changes: 1000, rounds: 80, ratio: 3, p99: undefined },
    ]) {
      const asked = defineBundle(readFiles(policies));
      const judge = () =>
        service.tools.pool.use("bench", asked, (evaluator) =>
          judgeSubjects(evaluator, asked, [{ unit: "u", input }], []),
        );
      const path = join(folder, `plan-${changes}.json`);
      const command = [
        conftest.path,
        "test",
        "-o",
        "json",
        "--no-fail",
        "-p",
        policies,
        "-d",
        join(policies, "data"),
        path,
      ];
      const askConftest = () => run(command[0] ?? "", command.slice(1));
      const input = planOf("prod/shop/db", changes);
      writeFileSync(path, input);
      for (let warm = 0; warm < 50; warm++) await judge();
      const ours: Measured = { name: "resident", times: [] };
      const peer: Measured = { name: "conftest", times: [] };
      const isMeasured = conftest.skip === false;
      for (let round = 0; round < rounds; round++) {
        await measure(ours, judge);
        if (isMeasured && round % (rounds / PEER_ROUNDS) === 0) await measure(peer, askConftest);
      }
      const pid = await service.tools.pool.use("bench", asked, async ({ server }) => server.pid);
      ours.cpu = await measureProcessor(pid, judge);
      if (isMeasured) peer.cpu = await measurePeerProcessor(command);
      const name = `${policies === typical ? "three" : "all"} policies on a unit of ${changes} changes (${input.length} bytes)`;
      print(name, ours, isMeasured ? peer : undefined, [
        ...(p99 === undefined ? [] : [[`p99 ≤ ${p99} ms`, quantile(ours, 0.99) <= p99] as [string, boolean]]),
        ...(isMeasured
          ? [
              [`≥ ${ratio} × one conftest process`, quantile(peer, 0.5) / quantile(ours, 0.5) >= ratio] as [
                string,
                boolean,
              ],
            ]
          : []),
      ]);
      if (!isMeasured) console.log(`   peer not measured: ${conftest.skip}`);
    }

    const subjects = Array.from({ length: 200 }, (_, index) => ({
      unit: `prod/unit-${index}/db`,
      input: planOf(`prod/unit-${index}/db`, 10),
    }));
    const whole: Measured = { name: "ChangeSet", times: [] };
    for (let round = 0; round < 21; round++) {
      await measure(whole, () => client.evaluate({ revisions: [revision], subjects }, caller));
    }
    print("a ChangeSet of 200 units of 10 changes, over RPC and recorded in PGlite", whole, undefined, [
      ["≤ 300 ms in all", quantile(whole, 0.5) <= 300],
    ]);
  } finally {
    await service.close();
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) await benchPolicy();
