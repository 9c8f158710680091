// Runs every benchmark in turn, each in a process of its own; `node test/bench/main.ts plan embedded` runs some of them.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { runBenchmark } from "./run-benchmark-cli.ts";

const SUFFIX = "-bench.ts";
const wanted = process.argv.slice(2);
const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(SUFFIX))
  .map((file) => file.slice(0, -SUFFIX.length))
  .filter((name) => wanted.length === 0 || wanted.includes(name))
  .sort();

const failed: string[] = [];
for (const name of names) {
  console.log(`\n== ${name}`);
  if (!(await runBenchmark(join(import.meta.dirname, `${name}${SUFFIX}`)))) failed.push(name);
}
if (names.length === 0) failed.push(...wanted);
if (failed.length > 0) {
  console.error(`\nnot measured: ${failed.join(", ")}`);
  process.exitCode = 1;
}
