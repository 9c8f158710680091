// P10: what the embedded mode costs: verbs without a database, the owner's memory, and affected units after the first run;
// from the checkout and from the bundle that is published.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import { bundleEntry } from "../../tools/bundle-entry.ts";
import { isOnPath, median, printFigure } from "./figures.ts";
import { type Measured, measureProcess, peakOf, XCF } from "./measured-process-cli.ts";
import { makeUnitRepository } from "./unit-repository-cli.ts";

const UNITS = Number(process.argv[2] ?? 200);
const ROUNDS = Number(process.argv[3] ?? 7);
const VERB_MS = 500;
const VERB_MB = 150;
const OWNER_MB = 600;
const AFFECTED_MS = 1000;

const root = mkdtempSync(join(tmpdir(), "xcf-embedded-bench-"));
const checkout = dirname(dirname(XCF));

interface Place {
  readonly name: string;
  readonly launcher: string;
}

/** The package as npm would install it, without the installing. */
async function makeBundle(): Promise<Place> {
  const folder = join(root, "package");
  await bundleEntry(checkout, "cli/src/main.ts", join(folder, "dist"));
  cpSync(join(checkout, "bin"), join(folder, "bin"), { recursive: true });
  cpSync(join(checkout, "package.json"), join(folder, "package.json"));
  symlinkSync(join(checkout, "node_modules"), join(folder, "node_modules"));
  return { name: "bundle", launcher: join(folder, "bin", "xcf.js") };
}

function runner(place: Place, repository: string): (words: readonly string[]) => Promise<Measured> {
  const home = join(root, place.name);
  mkdirSync(home, { recursive: true });
  const environment = {
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    XDG_CACHE_HOME: join(home, "cache"),
    XDG_CONFIG_HOME: join(home, "config"),
    XCF_USER: "bench@example.com",
  };
  return async (words) => {
    const measured = await measureProcess({
      file: process.execPath,
      words: [place.launcher, ...words],
      folder: repository,
      environment,
    });
    if (measured.code !== 0 && measured.code !== 2)
      throw new Error(`xcf ${words.join(" ")} ended with ${measured.code}: ${measured.err}`);
    return measured;
  };
}

async function repeat(work: () => Promise<Measured>): Promise<{ readonly wall: number; readonly peak: number }> {
  await work(); // fills the compile cache
  const all: Measured[] = [];
  for (let round = 0; round < ROUNDS; round++) all.push(await work());
  return { wall: median(all.map(({ wall }) => wall)), peak: Math.max(...all.map(({ peak }) => peak)) };
}

async function measureVerbs(place: Place, repository: string): Promise<void> {
  const xcf = runner(place, repository);
  for (const words of [["explain", "c0"], ["validate"], ["graph"]]) {
    const { wall, peak } = await repeat(() => xcf(words));
    printFigure(
      `P10 ${place.name}: ${words[0]}, ${UNITS} units, no database`,
      `${wall.toFixed(0)} ms, ${peak.toFixed(0)} MB`,
      { text: `≤ ${VERB_MS} ms and ≤ ${VERB_MB} MB`, met: wall <= VERB_MS && peak <= VERB_MB },
    );
  }
}

const ownerSchema = z.object({ pid: z.int() });

async function measureOwner(place: Place, repository: string): Promise<void> {
  const xcf = runner(place, repository);
  const pidOf = (): number =>
    ownerSchema.parse(JSON.parse(readFileSync(join(repository, ".xcf", "owner.json"), "utf8"))).pid;
  const first = await xcf(["graph", "--affected"]);
  printFigure(
    `P10 ${place.name}: first run of all, database made`,
    `${first.wall.toFixed(0)} ms, owner's peak ${peakOf(pidOf()).toFixed(0)} MB`,
  );
  await xcf(["plan"]);
  const { wall } = await repeat(() => xcf(["graph", "--affected"]));
  printFigure(`P10 ${place.name}: graph --affected, ${UNITS} units`, `${wall.toFixed(0)} ms`, {
    text: `≤ ${AFFECTED_MS} ms`,
    met: wall <= AFFECTED_MS,
  });
  const peak = peakOf(pidOf());
  printFigure(`P10 ${place.name}: owner's peak after planning ${UNITS} units`, `${peak.toFixed(0)} MB`, {
    text: `≤ ${OWNER_MB} MB`,
    met: peak <= OWNER_MB,
  });
  process.kill(pidOf(), "SIGTERM");
}

try {
  for (const place of [{ name: "checkout", launcher: XCF }, await makeBundle()]) {
    const repository = join(root, `repository-${place.name}`);
    makeUnitRepository(repository, Math.floor(UNITS / 4), UNITS);
    await measureVerbs(place, repository);
    if (isOnPath("terraform")) await measureOwner(place, repository);
    else console.log("terraform: not on the PATH, the owner was not measured");
  }
} finally {
  rmSync(root, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 });
}
