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
const first = await planner.compileOnly({ repository: repository.directory });
console.log("cold", performance.now() - t, first.units.length, first.units.filter((u) => u.selected).length);
t = performance.now();
await planner.compileOnly({ repository: repository.directory });
console.log("again", performance.now() - t);
planner.apply(first);
repository.commit({ [modulePath(5)]: moduleText(5, 1) });
t = performance.now();
const next = await planner.compileOnly({ repository: repository.directory });
console.log("change", performance.now() - t, next.units.filter((u) => u.selected).length);
t = performance.now();
await planner.compileOnly({ repository: repository.directory });
console.log("again", performance.now() - t);
planner.apply(next);
repository.commit({ [modulePath(77)]: moduleText(77, 1) });
t = performance.now();
const third = await planner.compileOnly({ repository: repository.directory });
console.log("module change", performance.now() - t, third.units.filter((u) => u.selected).length);
repository.commit({ [compositionPath(78)]: compositionText(78, repository.dependencies[78] ?? [], 2) });
t = performance.now();
const fourth = await planner.compileOnly({ repository: repository.directory });
console.log("composition change", performance.now() - t, fourth.units.filter((u) => u.selected).length);
