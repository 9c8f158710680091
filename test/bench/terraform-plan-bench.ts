import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { promisify } from "node:util";
import { createTerraformFixture } from "../integration/terraform-fixture.ts";

/**
 * The runner's share of goal P1: planning N units of one `terraform_data` each through a worker with two slots, against
 * bare `xargs -P2` over `terraform init` and `terraform plan` of the same modules, interleaved, medians. Our own
 * processor time holds the worker, the in-memory control plane and the HTTP state backend; children are not in it.
 */
const units = Number(process.argv[2] ?? 50);
const rounds = Number(process.argv[3] ?? 3);
const moduleText = (index: number): string => `resource "terraform_data" "a" {\n  input = ${index}\n}\n`;

async function bare(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "xcf-bare-"));
  for (let index = 0; index < units; index += 1) {
    mkdirSync(join(folder, String(index)));
    writeFileSync(join(folder, String(index), "main.tf"), moduleText(index));
  }
  const config = join(folder, "empty.tfrc");
  writeFileSync(config, "");
  const names = Array.from({ length: units }, (_, index) => index).join(" ");
  const script = `echo ${names} | xargs -n1 -P2 sh -c 'cd ${folder}/$0 && terraform init -input=false >/dev/null && terraform plan -input=false -lock=false -out=plan >/dev/null'`;
  const began = performance.now();
  await promisify(execFile)("sh", ["-c", script], {
    env: { PATH: process.env["PATH"], TF_CLI_CONFIG_FILE: config, CHECKPOINT_DISABLE: "1" },
  });
  const milliseconds = performance.now() - began;
  rmSync(folder, { recursive: true, force: true });
  return milliseconds;
}

interface Ours {
  readonly milliseconds: number;
  readonly cpuPerUnit: number;
}

/** Of this process and of the one it starts engines from, in milliseconds; engines themselves are not in it. */
function ownCpu(): number {
  const { user, system } = process.cpuUsage();
  const ticks = readdirSync("/proc").flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "latin1");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const spawner =
        Number(fields[1]) === process.pid && readFileSync(`/proc/${entry}/cmdline`, "utf8").includes("serveSpawns");
      return spawner ? [Number(fields[11]) + Number(fields[12])] : [];
    } catch {
      return [];
    }
  });
  return (user + system) / 1000 + ticks.reduce((total, tick) => total + tick * 10, 0);
}

async function ours(): Promise<Ours> {
  await using fixture = await createTerraformFixture({
    concurrency: 2,
    tickMilliseconds: 500,
    heartbeatMilliseconds: 3000,
  });
  const plan = async (from: number, to: number): Promise<void> => {
    const specs = Array.from({ length: to - from }, (_, index) =>
      fixture.spec({ "main.tf": moduleText(from + index) }, { address: `dev/shop/unit-${from + index}` }),
    );
    const results = await Promise.all(specs.map((spec) => fixture.plane.run(spec)));
    const wrong = results.find((result) => result.kind !== "planned" || result.plan.summary.create !== 1);
    if (wrong !== undefined) throw new Error(`a unit was not planned: ${JSON.stringify(wrong)}`);
  };
  const began = performance.now();
  await plan(0, units);
  const milliseconds = performance.now() - began;
  // The slope: what one more unit costs on a running control plane.
  const cpu = ownCpu();
  await plan(units, 4 * units);
  return { milliseconds, cpuPerUnit: (ownCpu() - cpu) / (3 * units) };
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

const bareTimes: number[] = [];
const ourTimes: number[] = [];
const cpu: number[] = [];
for (let round = 0; round < rounds; round += 1) {
  bareTimes.push(await bare());
  const { milliseconds, cpuPerUnit } = await ours();
  ourTimes.push(milliseconds);
  cpu.push(cpuPerUnit);
}
const ratio = median(ourTimes) / median(bareTimes);
console.log(
  JSON.stringify({
    id: "P1-runner",
    units,
    rounds,
    bareMilliseconds: Math.round(median(bareTimes)),
    ourMilliseconds: Math.round(median(ourTimes)),
    ratio: Number(ratio.toFixed(3)),
    ourCpuMillisecondsPerUnit: Number(median(cpu).toFixed(2)),
  }),
);
