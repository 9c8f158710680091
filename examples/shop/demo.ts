// Tells how a commit becomes applied infrastructure, with the real xcf, Git, Terraform and OPA. Each step checks what it
// shows: the demo fails where the product does not do what the story says.
//
//   node examples/shop/demo.ts [PARENT]     the shop's copy is made in PARENT (default: the system's temporary folder)
//
// MODE=mesh plays the same story against a mesh of processes on PostgreSQL and NATS.

import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbeddedStory, startMeshStory } from "./demo/control-plane.ts";
import { makeShop } from "./demo/folder.ts";
import { DANA } from "./demo/person.ts";
import { applyMerged, catchTampering, denyPublic, planBranch, refuseAuthor, refuseStale } from "./demo/review.ts";
import {
  applyDevelopment,
  checkFiles,
  explainDecision,
  planDevelopment,
  rollOutProduction,
  waitForFoundation,
} from "./demo/rollout.ts";
import { createScreen } from "./demo/screen.ts";
import { createStage, type Step, StoryBrokenError } from "./demo/stage.ts";

const STEPS: readonly Step[] = [
  checkFiles,
  explainDecision,
  planDevelopment,
  applyDevelopment,
  rollOutProduction,
  waitForFoundation,
  planBranch,
  refuseAuthor,
  applyMerged,
  denyPublic,
  refuseStale,
  catchTampering,
];

const started = performance.now();
const sources = join(import.meta.dirname, "..", "..");
const launcher = join(sources, "bin", "xcf.js");
const write = (text: string): void => void process.stdout.write(text);
const folder = await makeShop(import.meta.dirname, process.argv[2] ?? tmpdir());
const start = process.env.MODE === "mesh" ? startMeshStory : startEmbeddedStory;
const plane = await start({ folder, launcher, sources, environment: process.env });
const styled = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
const stage = createStage(plane.shell, createScreen(write, styled, STEPS.length), plane.verifyWith);

write(`A shop of six compositions in two environments, in ${folder}\n`);
write("Dana and Ines write changes, Lee leads the platform team. `xcf` is this checkout's.\n");
write(`${plane.about}\n`);
try {
  await stage.begin(DANA);
  for (const step of STEPS) await step(stage);
  const seconds = Math.round((performance.now() - started) / 1000);
  write(`\nThat was ${STEPS.length} steps in ${seconds} s. The shop is still there; to go on:\n\n`);
  write(`   cd ${folder}\n`);
  for (const words of plane.goOn) write(`   node ${launcher} ${words}\n`);
} catch (error) {
  const text = error instanceof StoryBrokenError ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`\nThe demo stopped: ${text}\nThe shop is in ${folder}\n`);
  process.exitCode = 1;
} finally {
  await plane.close();
}
