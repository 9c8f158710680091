// P1: `xcf plan` of N one-resource terraform units on a running control plane, beside bare `xargs -P2` over terraform init
// and plan of the same modules, interleaved; our own processor time a unit is the slope between the two sizes.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { z } from "zod";
import { isOnPath, median, nameMissingPeers, printFigure } from "./figures.ts";
import { familyCpu, isRunning, measureProcess, XCF } from "./measured-process-cli.ts";
import { makeUnitRepository, unitText } from "./unit-repository-cli.ts";

const SMALL = Number(process.argv[2] ?? 50);
const LARGE = Number(process.argv[3] ?? 200);
const ROUNDS = Number(process.argv[4] ?? 3);
const WALL_GOAL = 1.05;
const CPU_GOAL = 8;

const root = mkdtempSync(join(tmpdir(), "xcf-plan-bench-"));
const repository = join(root, "repository");
const environment = {
  PATH: process.env["PATH"] ?? "",
  HOME: root,
  XDG_CACHE_HOME: join(root, "cache"),
  XDG_CONFIG_HOME: join(root, "config"),
  XCF_USER: "bench@example.com",
  // As many terraforms at a time as the peer runs.
  XCF_CONCURRENCY: "2",
  CHECKPOINT_DISABLE: "1",
  TF_CLI_CONFIG_FILE: join(root, "empty.tfrc"),
};

async function xcf(words: readonly string[]): Promise<{ readonly wall: number; readonly cpu: number }> {
  const { code, wall, cpu, err } = await measureProcess({
    file: process.execPath,
    words: [XCF, ...words],
    folder: repository,
    environment,
  });
  if (code !== 0 && code !== 2) throw new Error(`xcf ${words.join(" ")} ended with ${code}: ${err}`);
  return { wall, cpu };
}

const ownerSchema = z.object({ pid: z.int() });
function ownerPid(): number {
  return ownerSchema.parse(JSON.parse(readFileSync(join(repository, ".xcf", "owner.json"), "utf8"))).pid;
}

async function stopOwner(): Promise<void> {
  const pid = ownerPid();
  process.kill(pid, "SIGTERM");
  while (isRunning(pid)) await setTimeout(50);
}

interface Plan {
  readonly wall: number;
  /** Client, owner and what the owner starts engines from; the engines are not in it. */
  readonly cpu: number;
}

async function plan(head: string): Promise<Plan> {
  const pid = ownerPid();
  const before = familyCpu(pid);
  const client = await xcf(["plan", "--head", head]);
  return { wall: client.wall, cpu: client.cpu + familyCpu(pid) - before };
}

async function bare(units: number): Promise<number> {
  const folder = mkdtempSync(join(root, "bare-"));
  for (let index = 0; index < units; index++) {
    mkdirSync(join(folder, String(index)));
    writeFileSync(join(folder, String(index), "main.tf"), unitText(index));
  }
  const names = Array.from({ length: units }, (_, index) => index).join(" ");
  const each =
    "cd $0 && terraform init -input=false >/dev/null && terraform plan -input=false -lock=false -out=plan >/dev/null";
  const { code, wall, err } = await measureProcess({
    file: "sh",
    words: ["-c", `echo ${names} | xargs -n1 -P2 sh -c '${each}'`],
    folder,
    environment,
  });
  if (code !== 0) throw new Error(`bare terraform failed: ${err}`);
  rmSync(folder, { recursive: true });
  return wall;
}

async function compare(): Promise<void> {
  makeUnitRepository(repository, SMALL, LARGE);
  writeFileSync(environment.TF_CLI_CONFIG_FILE, "");
  // The control plane runs from here on and has compiled what it needs; the first plan of all is not counted.
  await xcf(["plan", "--head", "small"]);
  const walls = { small: [] as number[], large: [] as number[], bareSmall: [] as number[], bareLarge: [] as number[] };
  const slopes: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    walls.bareSmall.push(await bare(SMALL));
    const small = await plan("small");
    walls.bareLarge.push(await bare(LARGE));
    await xcf(["plan", "--head", "small"]);
    const large = await plan("main");
    walls.small.push(small.wall);
    walls.large.push(large.wall);
    slopes.push((large.cpu - small.cpu) / (LARGE - SMALL));
  }
  for (const [units, ours, theirs] of [
    [SMALL, walls.small, walls.bareSmall],
    [LARGE, walls.large, walls.bareLarge],
  ] as const) {
    const ratio = median(ours) / median(theirs);
    const text = `ours ${median(ours).toFixed(0)} ms, bare ${median(theirs).toFixed(0)} ms, ratio ${ratio.toFixed(3)}`;
    printFigure(`P1 plan ${units} units, wall, beside xargs -P2`, text, {
      text: `≤ ${WALL_GOAL}`,
      met: ratio <= WALL_GOAL,
    });
  }
  const slope = median(slopes);
  printFigure(
    `P1 our own processor time a unit, slope ${SMALL} to ${LARGE}`,
    `${slope.toFixed(1)} ms (rounds: ${slopes.map((value) => value.toFixed(1)).join(", ")})`,
    { text: `≤ ${CPU_GOAL} ms`, met: slope <= CPU_GOAL },
  );
  for (const peer of nameMissingPeers(["terragrunt", "terramate"])) await runPeer(peer);
}

/** The wrappers need files of their own beside the modules. */
async function runPeer(peer: string): Promise<void> {
  const folder = mkdtempSync(join(root, `${peer}-`));
  const words = {
    terragrunt: ["run", "--all", "--parallelism", "2", "--non-interactive", "plan"],
    terramate: [
      "run",
      "--parallel",
      "2",
      "--disable-safeguards=all",
      "--",
      "sh",
      "-c",
      "terraform init >/dev/null && terraform plan -lock=false >/dev/null",
    ],
  }[peer];
  if (words === undefined) return;
  for (let index = 0; index < SMALL; index++) {
    const unit = join(folder, String(index));
    mkdirSync(unit);
    writeFileSync(join(unit, "main.tf"), unitText(index));
    if (peer === "terragrunt") writeFileSync(join(unit, "terragrunt.hcl"), "");
    else writeFileSync(join(unit, "stack.tm.hcl"), `stack {\n  name = "s${index}"\n}\n`);
  }
  const { code, wall, cpu, err } = await measureProcess({ file: peer, words, folder, environment });
  printFigure(
    `P1 ${peer}, ${SMALL} units`,
    code === 0 ? `${wall.toFixed(0)} ms wall, ${cpu.toFixed(0)} ms cpu with terraform` : `failed: ${err.slice(-300)}`,
  );
}

if (isOnPath("terraform")) {
  try {
    await compare();
  } finally {
    await stopOwner();
    rmSync(root, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
  }
} else console.log("terraform: not on the PATH, nothing to measure");
