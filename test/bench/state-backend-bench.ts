// P8: lock + get + put + unlock of a 1 MB state, p99 ≤ 15 ms; a 64 MB state passes in ≤ 1.5 × its size of memory; one
// apply of the real terraform with a 1 MB state, its local backend beside ours, interleaved.
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OwnedDatabase } from "@xcloudflow/database/database";
import { stateSchema } from "@xcloudflow/state/migrations/migrations";
import { execa } from "execa";
import { openFreshPglite } from "../support/databases.ts";
import { requireEngine } from "../support/engines.ts";
import { createPostgresUrl, openPostgres } from "../support/postgres.ts";
import { createStateFixture, lockInfo, type StateFixture } from "../support/state-fixture.ts";

const MB = 1_000_000;
const WARM_UP = 20;
const CYCLES = 200;
const APPLIES = 7;

function stateOf(serial: number, bytes: number): string {
  return JSON.stringify({ version: 4, serial, lineage: "bench", blob: "x".repeat(bytes) });
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

async function done(response: Promise<Response>): Promise<void> {
  const answer = await response;
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`the backend answered ${answer.status}`);
}

async function measureCycles(state: StateFixture): Promise<readonly number[]> {
  await done(state.fetch("POST", { body: stateOf(0, MB) }));
  const times: number[] = [];
  for (let cycle = 1; cycle <= WARM_UP + CYCLES; cycle++) {
    const body = stateOf(cycle, MB);
    const started = performance.now();
    await done(state.fetch("LOCK", { body: lockInfo("bench") }));
    await done(state.fetch("GET"));
    await done(state.fetch("POST", { body, id: "bench" }));
    await done(state.fetch("UNLOCK", { body: lockInfo("bench") }));
    if (cycle > WARM_UP) times.push(performance.now() - started);
  }
  return times;
}

const CLIENT = `
const [, url, file, method] = process.argv;
const { openAsBlob } = await import("node:fs");
const headers = { authorization: "Basic " + Buffer.from("any:writer").toString("base64") };
const body = method === "POST" ? await openAsBlob(file) : undefined;
const answer = await fetch(url, { method, headers, body });
let size = 0;
for await (const chunk of answer.body ?? []) size += chunk.length;
if (answer.status !== 200) throw new Error(String(answer.status));
`;

/** Growth of this process's resident memory at its peak while a client of its own process does \`method\`, in MB. */
async function peakGrowth(url: string, file: string, method: "POST" | "GET"): Promise<number> {
  globalThis.gc?.();
  await writeFile("/proc/self/clear_refs", "5");
  const before = process.memoryUsage().rss;
  await new Promise<void>((resolve, reject) => {
    const client = spawn(process.execPath, ["--input-type=module", "-e", CLIENT, url, file, method], {
      stdio: "inherit",
    });
    client.once("exit", (code) => (code === 0 ? resolve() : reject(new Error(`the client exited with ${code}`))));
  });
  const [, peak = "0"] = /VmHWM:\s+(\d+)/.exec(await readFile("/proc/self/status", "utf8")) ?? [];
  return (Number(peak) * 1024 - before) / MB;
}

/** A module with a state of about 1 MB; the result applies a change of it and answers how long that took. */
async function prepareModule(address: string | undefined, folder: string): Promise<(n: number) => Promise<number>> {
  const terraform = requireEngine("terraform").path;
  await mkdir(folder);
  const backend = address === undefined ? "" : 'terraform {\n  backend "http" {}\n}\n';
  const resource = `resource "terraform_data" "a" {\n  input = "\${var.n}\${file("large")}"\n}\n`;
  await writeFile(join(folder, "main.tf"), `${backend}variable "n" {}\n${resource}`);
  await writeFile(join(folder, "large"), "x".repeat(MB / 2));
  await writeFile(join(folder, "rc"), "disable_checkpoint = true\n");
  const places = { TF_HTTP_ADDRESS: address, TF_HTTP_LOCK_ADDRESS: address, TF_HTTP_UNLOCK_ADDRESS: address };
  const http = address === undefined ? {} : { ...places, TF_HTTP_USERNAME: "any", TF_HTTP_PASSWORD: "writer" };
  const env = { PATH: process.env["PATH"] ?? "", HOME: folder, TF_CLI_CONFIG_FILE: join(folder, "rc"), ...http };
  const options = { cwd: folder, env, extendEnv: false } as const;
  await execa(terraform, ["init"], options);
  return async (n) => {
    const started = performance.now();
    await execa(terraform, ["apply", "-auto-approve", `-var=n=${n}`], options);
    return performance.now() - started;
  };
}

async function compareApplies(
  address: string,
  folder: string,
): Promise<{ readonly ours: number; readonly local: number }> {
  const applyLocal = await prepareModule(undefined, join(folder, "local"));
  const applyOurs = await prepareModule(address, join(folder, "http"));
  const ours: number[] = [];
  const local: number[] = [];
  for (let n = 0; n <= APPLIES; n++) {
    const pair = [await applyLocal(n), await applyOurs(n)] as const;
    if (n === 0) continue;
    local.push(pair[0]);
    ours.push(pair[1]);
  }
  return { ours: quantile(ours, 0.5), local: quantile(local, 0.5) };
}

async function measure(name: string, database: OwnedDatabase): Promise<void> {
  const state = await createStateFixture(database);
  const folder = await mkdtemp(join(tmpdir(), "xcf-bench-"));
  try {
    const cycles = await measureCycles(state);
    console.log(
      `${name}: lock+get+put+unlock 1 MB  p50 ${quantile(cycles, 0.5).toFixed(1)} ms  p99 ${quantile(cycles, 0.99).toFixed(1)} ms  (goal ≤ 15 ms)`,
    );
    const large = join(folder, "large.json");
    await writeFile(large, stateOf(1, 64 * MB));
    const url = state.stateUrl("prod/bench/large");
    for (const method of ["POST", "GET"] as const) {
      const growth = await peakGrowth(url, large, method);
      console.log(
        `${name}: 64 MB ${method}  +${growth.toFixed(0)} MB resident, ${(growth / 64).toFixed(2)} × its size  (goal ≤ 1.5 ×)`,
      );
    }
    if (requireEngine("terraform").skip !== false)
      return console.log(`${name}: no terraform here, nothing to compare with`);
    const { ours, local } = await compareApplies(state.stateUrl("prod/bench/apply"), folder);
    const ratio = (ours / local).toFixed(2);
    console.log(
      `${name}: terraform apply, 1 MB state  ours ${ours.toFixed(0)} ms  local backend ${local.toFixed(0)} ms  ratio ${ratio}`,
    );
  } finally {
    await state.close();
    await database.close();
    await rm(folder, { recursive: true });
  }
}

await measure("PGlite", await openFreshPglite([stateSchema]));
await measure("PostgreSQL", await openPostgres(await createPostgresUrl([stateSchema])));
