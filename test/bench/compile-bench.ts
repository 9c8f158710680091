import { performance } from "node:perf_hooks";
import { as } from "@xcloudflow/chassis/caller";
import { type Compilation, compilationSchema } from "@xcloudflow/model/compilation";
import { decodeDocument } from "@xcloudflow/model/parse-json";
import { compileEnvironment } from "@xcloudflow/planner/compile";
import { CALLER, makePlanner } from "../integration/planner/planner-fixture.ts";
import {
  compositionPath,
  compositionText,
  makeLargeRepository,
  modulePath,
  moduleText,
} from "./large-repository-cli.ts";

void [as, compilationSchema, decodeDocument, compileEnvironment, CALLER];
void ({} as Compilation);
const count = Number(process.argv[2] ?? 10_000);
let seed = 42;
const random = (): number => {
  seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
  return seed / 2_147_483_648;
};
using repository = makeLargeRepository(count, random);
console.log("made");
using planner = makePlanner();
let t = performance.now();
let cpu = process.cpuUsage();
const mark = (): void => {
  t = performance.now();
  cpu = process.cpuUsage();
};
const took = (): string => {
  const c = process.cpuUsage(cpu);
  return `${Math.round(performance.now() - t)} ms wall ${Math.round((c.user + c.system) / 1000)} ms cpu`;
};
mark();
const first = await planner.compileOnly({ repository: repository.directory });
console.log("cold", took(), first.units.length, first.units.filter((u) => u.selected).length);
mark();
await planner.compileOnly({ repository: repository.directory });
console.log("again", took());
planner.apply(first);
repository.commit({ [modulePath(5)]: moduleText(5, 1) });
mark();
const next = await planner.compileOnly({ repository: repository.directory });
console.log("change", took(), next.units.filter((u) => u.selected).length);
mark();
await planner.compileOnly({ repository: repository.directory });
console.log("again", took());
planner.apply(next);
repository.commit({ [modulePath(77)]: moduleText(77, 1) });
mark();
const third = await planner.compileOnly({ repository: repository.directory });
console.log("module change", took(), third.units.filter((u) => u.selected).length);
repository.commit({ [compositionPath(78)]: compositionText(78, repository.dependencies[78] ?? [], 2) });
mark();
const fourth = await planner.compileOnly({ repository: repository.directory });
console.log("composition change", took(), fourth.units.filter((u) => u.selected).length);
