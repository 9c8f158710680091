import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { performance } from "node:perf_hooks";
import { as } from "@xcloudflow/chassis/caller";
import { CALLER, makePlanner } from "../integration/planner/planner-fixture.ts";
import {
  compositionPath,
  compositionText,
  type LargeRepository,
  makeLargeRepository,
  modulePath,
  moduleText,
} from "./large-repository-cli.ts";

/** Wall-clock and processor milliseconds; the latter tell more on a machine that others use. */
interface Cost {
  readonly wall: number;
  readonly cpu: number;
}

const DIFFS = 50;

/** Same numbers on every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

async function measure<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly cost: Cost }> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const result = await work();
  const { user, system } = process.cpuUsage(cpu);
  return { result, cost: { wall: performance.now() - start, cpu: (user + system) / 1_000 } };
}

function median(costs: readonly Cost[]): Cost {
  const middle = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  return { wall: middle(costs.map(({ wall }) => wall)), cpu: middle(costs.map(({ cpu }) => cpu)) };
}

function report(name: string, { wall, cpu }: Cost, goal = ""): void {
  console.log(
    `${name.padEnd(44)} ${wall.toFixed(0).padStart(6)} ms wall ${cpu.toFixed(0).padStart(6)} ms cpu  ${goal}`,
  );
}

/** A random change of the repository, and the compositions whose content it touches. */
function randomDiff(
  repository: LargeRepository,
  random: () => number,
  step: number,
): { files: Record<string, string>; roots: number[] } {
  const count = repository.dependencies.length;
  const index = Math.floor(random() * count);
  const kind = step % 10;
  if (kind === 9) {
    const roots = Array.from({ length: count }, (_, at) => at).filter((at) => at % 10 === 0);
    return { files: { "modules/shared/main.tf": `output "name" {\n  value = "n${step}"\n}\n` }, roots };
  }
  if (kind >= 5) {
    const text = compositionText(index, repository.dependencies[index] ?? [], step + 2);
    return { files: { [compositionPath(index)]: text }, roots: [index] };
  }
  return { files: { [modulePath(index)]: moduleText(index, step + 1) }, roots: [index] };
}

/** The affected compositions, worked out the plain way from the generator's own graph. */
function naive(dependencies: readonly (readonly number[])[], roots: readonly number[]): Set<string> {
  const affected = new Set(roots);
  // Dependencies point to earlier compositions only: one pass in order reaches everything.
  for (const [index, needs] of dependencies.entries())
    if (needs.some((other) => affected.has(other))) affected.add(index);
  return new Set([...affected].map((index) => `dev/c${index}/m${index}`));
}

function namePeers(): void {
  for (const peer of ["terramate", "terragrunt"]) {
    try {
      console.log(
        `${peer}: ${execFileSync(peer, ["--version"], { encoding: "utf8" }).trim()} is on PATH; run its listing over the same graph beside this`,
      );
    } catch {
      console.log(`${peer}: not on PATH, not compared`);
    }
  }
}

async function main(count: number): Promise<void> {
  const random = seeded(42);
  using repository = makeLargeRepository(count, random);
  using planner = makePlanner();
  const compile = () => planner.compileOnly({ repository: repository.directory });
  const cold = await measure(compile);
  report(`compile ${count} compositions, cold`, cold.cost, "goal 1,500 ms");
  report("  again, nothing changed", (await measure(compile)).cost);
  planner.apply(cold.result);
  await compile();
  const costs = new Map<string, Cost[]>([
    ["module", []],
    ["composition", []],
    ["shared module", []],
  ]);
  for (let step = 0; step < DIFFS; step += 1) {
    const { files, roots } = randomDiff(repository, random, step);
    repository.commit(files);
    const { result, cost } = await measure(compile);
    const selected = new Set(result.units.filter((unit) => unit.selected).map(({ address }) => address));
    assert.deepEqual(selected, naive(repository.dependencies, roots), `diff ${step}`);
    costs.get(step % 10 === 9 ? "shared module" : step % 10 >= 5 ? "composition" : "module")?.push(cost);
    planner.apply(result);
    // What an apply moved is read once, before anybody waits for the next change.
    await compile();
  }
  for (const [kind, list] of costs)
    report(`  after one ${kind} changed (median of ${list.length})`, median(list), "goal 300 ms");
  const pointers = await measure(() => planner.backing.state.listApplied({ environment: "dev" }, as(CALLER)));
  report("  of which the state service's answer", pointers.cost);
  console.log(`${DIFFS} random diffs: affected sets identical to the plain recomputation`);
  namePeers();
}

await main(Number(process.argv[2] ?? 10_000));
