// `make simulate SEEDS=200000`: many seeds of the simulator, the first failing seed named so that it can be replayed.
import { simulate } from "./simulate.ts";

const seeds = Number(process.argv[2] ?? 20_000);
const first = Number(process.argv[3] ?? 1);
const outcomes = new Map<string, number>();
let faults = 0;
for (let seed = first; seed < first + seeds; seed += 1) {
  try {
    const report = await simulate(seed);
    outcomes.set(report.outcome, (outcomes.get(report.outcome) ?? 0) + 1);
    faults += report.faults;
  } catch (error) {
    console.error(`seed ${seed} breaks an invariant; replay it with: node test/simulation/main.ts 1 ${seed}`);
    throw error;
  }
}
console.log(
  `${seeds} seeds, ${faults} faults injected, no invariant broken: ${JSON.stringify(Object.fromEntries(outcomes))}`,
);
