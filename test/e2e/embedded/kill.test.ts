import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { createSeededRandom, type Random } from "@xcloudflow/chassis/random";
import { z } from "zod";
import { requireEngine } from "../../support/engines.ts";
import { type LedgerUnit, ledgerMonorepo, SELF_APPROVED } from "../../support/ledger-monorepo.ts";
import { CAN_LIST_PROCESSES, findEngines, findOwner, freezeOwner } from "../../support/owner-processes.ts";
import { createTestRepository, readOwnerPid, type TestRepository } from "../../support/xcf-cli.ts";
import { expectCode, listRuns, planSomething, showRun } from "../../support/xcf-documents.ts";

const { skip } = requireEngine("terraform");
const KILLS = Number(process.env["XCF_KILLS"] ?? 50);
const SEED = Number(process.env["XCF_SEED"] ?? Date.now() % 2 ** 31);
/** Fewer than the lost attempts after which a task that only reads is given up. */
const KILLS_PER_RUN = 4;
const LATEST_MS = 1_200;

const NAMES = ["base", "left", "right", "alone"] as const;

function units(generation: number): LedgerUnit[] {
  const text = String(generation);
  return [
    { name: "base", lifecycle: "Foundation", generation: text },
    { name: "left", after: ["base"], generation: text, slow: "sleep 0.3" },
    { name: "right", lifecycle: "Platform", after: ["base"], generation: text },
    { name: "alone", generation: text, slow: "sleep 0.2" },
  ];
}

interface Kill {
  readonly run: number;
  readonly how: "parent" | "all";
  /** No engine ran. */
  readonly quiet: boolean;
  /** Units whose apply was running. */
  readonly inside: readonly string[];
}

test(`${KILLS} SIGKILLs at random moments lose nothing and do nothing twice`, {
  skip: skip === false && !CAN_LIST_PROCESSES ? "needs /proc" : skip,
  timeout: 1_200_000,
}, async (t) => {
  const random = createSeededRandom(SEED);
  const repository = await createTestRepository();
  t.after(() => repository.dispose());
  const ledger = join(repository.folder, "..", "ledger.txt");
  await writeFile(ledger, "");
  const kills: Kill[] = [];
  const resumed: number[] = [];
  const unsure = { missing: 0, doubled: 0, right: 0, inspected: 0 };

  for (let generation = 1; kills.length < KILLS; generation += 1) {
    await repository.commit(ledgerMonorepo(ledger, units(generation), SELF_APPROVED));
    const { id } = await planSomething(repository);
    const before = kills.length;
    await applyUnderFire(repository, id, random, kills, resumed, generation);

    const fresh = kills.slice(before);
    const [newest] = await listRuns(repository, 1);
    const run = await showRun(repository, newest?.id ?? "");
    const told = `seed ${SEED}, run ${generation}: ${JSON.stringify(fresh)}\n${JSON.stringify(run, undefined, 1)}`;
    assert.equal(run.changeSet, id, told);
    assert.equal(run.status, "succeeded", told);
    const inside = new Set(fresh.flatMap((kill) => kill.inside));
    const lines = await linesOf(ledger, generation);
    for (const name of NAMES) {
      const address = `dev/${name}/unit`;
      const step = run.steps.find((one) => one.unit === address);
      assert.equal(step?.status, "succeeded", told);
      const wanted =
        generation === 1 ? [`create ${name} 1`] : [`destroy ${name} ${generation - 1}`, `create ${name} ${generation}`];
      const counts = wanted.map((line) => lines.filter((one) => one === line).length);
      const exact = counts.every((count) => count === 1);
      if (!inside.has(address)) {
        assert.ok(exact, `${name}: ${wanted.join(", ")} stand ${counts.join(", ")} times in the ledger\n${told}`);
        continue;
      }
      assert.equal(step.outcomeWasUnknown, true, `${name} is recorded as of unknown outcome\n${told}`);
      assert.match(await why(repository, address), /ended without a known outcome/);
      if (exact) unsure.right += 1;
      if (counts.includes(0)) unsure.missing += 1;
      if (counts.some((count) => count > 1)) unsure.doubled += 1;
      unsure.inspected += 1;
    }
  }

  const quiet = kills.filter((kill) => kill.quiet).length;
  const sorted = resumed.toSorted((a, b) => a - b);
  t.diagnostic(
    `seed ${SEED}: ${kills.length} kills, ${quiet} while no engine ran, ${kills.filter((kill) => kill.how === "parent").length} of the parent alone, ` +
      `${kills.filter((kill) => kill.inside.length > 0).length} inside an apply; of ${unsure.inspected} inspected units ${unsure.right} had exact lines, ` +
      `${unsure.missing} a line missing, ${unsure.doubled} a line doubled; resumed in ${at(sorted, 0.5)} ms (median), ${at(sorted, 0.99)} ms (p99)`,
  );
  assert.ok(quiet * 2 >= kills.length, `${quiet} of ${kills.length} kills fell between engines`);
  expectCode(await repository.xcf(["plan"]), 0);
  expectCode(await repository.xcf(["audit", "verify"]), 0);
  assert.deepEqual(findEngines(repository.folder), [], "no engine is left behind");
});

/** Applies, killing the owner now and then and joining the run again, until the ChangeSet is applied. */
async function applyUnderFire(
  repository: TestRepository,
  id: string,
  random: Random,
  kills: Kill[],
  resumed: number[],
  run: number,
): Promise<void> {
  const most = Math.min(kills.length + KILLS_PER_RUN, KILLS);
  let killedAt: { readonly time: number; readonly owner: number } | undefined;
  for (;;) {
    const client = await repository.start(["apply", id]);
    let words = "";
    client.stderr?.on("data", (bytes: Buffer) => (words += bytes.toString()));
    const left = once(client, "exit");
    const isGone = (): boolean => client.exitCode !== null;
    const measured = killedAt === undefined ? undefined : untilAnotherOwner(repository.folder, killedAt, isGone);
    killedAt = undefined;
    if (kills.length < most) {
      const kill = await strike(repository.folder, random, isGone, run);
      if (kill !== undefined) {
        killedAt = { time: performance.now(), owner: kill.owner };
        kills.push(kill);
      }
    }
    const [code] = await left;
    const milliseconds = await measured;
    if (milliseconds !== undefined) resumed.push(milliseconds);
    if (code === 0 || /it is closed/.test(words)) return;
    assert.ok(killedAt !== undefined, `the client left with ${code} though nobody was killed: ${words}`);
  }
}

/** When to strike: between engines, while one applies, or at whatever moment it is. */
type Aim = "between" | "applying" | "any";

function drawAim(random: Random): Aim {
  const draw = random.float();
  if (draw < 0.6) return "between";
  return draw < 0.85 ? "applying" : "any";
}

async function strike(
  folder: string,
  random: Random,
  isOver: () => boolean,
  run: number,
): Promise<(Kill & { readonly owner: number }) | undefined> {
  const aim = drawAim(random);
  const how = random.float() < 0.5 ? "parent" : "all";
  // Some strikes fall while the owner is still starting, which takes about a second.
  const duringStart = random.float() < 0.2;
  while (!duringStart && !isOver() && (await readOwnerPid(folder)) !== findOwner(folder)) await wait(5);
  await wait(random.integer(LATEST_MS));
  while (!isOver()) {
    const frozen = await freezeOwner(folder);
    const inside = [
      ...new Set(frozen?.engines.flatMap(({ unit, verb }) => (verb === "apply" && unit !== undefined ? [unit] : []))),
    ];
    const hits = aim === "any" || (aim === "between" ? frozen?.engines.length === 0 : inside.length > 0);
    if (frozen === undefined || !hits) {
      frozen?.thaw();
      await wait(20);
      continue;
    }
    await (how === "parent" ? frozen.killParent() : frozen.killAll());
    return { run, how, quiet: frozen.engines.length === 0, inside, owner: frozen.pid };
  }
  return undefined;
}

/** Until another owner answers, in milliseconds since the kill. */
async function untilAnotherOwner(
  folder: string,
  killed: { readonly time: number; readonly owner: number },
  isOver: () => boolean,
): Promise<number | undefined> {
  while (!isOver()) {
    const owner = await readOwnerPid(folder);
    if (owner !== undefined && owner !== killed.owner && owner === findOwner(folder))
      return performance.now() - killed.time;
    await wait(5);
  }
  // Killed again before it answered.
  return undefined;
}

/** Lines that belong to this generation's run: what it makes, and the end of what the one before had made. */
async function linesOf(ledger: string, generation: number): Promise<string[]> {
  const lines = (await readFile(ledger, "utf8")).split("\n").filter(Boolean);
  return lines.filter(
    (line) =>
      (line.startsWith("create") && line.endsWith(` ${generation}`)) ||
      (line.startsWith("destroy") && line.endsWith(` ${generation - 1}`)),
  );
}

async function why(repository: TestRepository, address: string): Promise<string> {
  const { out } = expectCode(await repository.xcf(["why", address, "-o", "json"]), 0);
  const { reasons } = z.object({ reasons: z.array(z.object({ text: z.string() })) }).parse(JSON.parse(out));
  return reasons.map((reason) => reason.text).join("\n");
}

function at(sorted: readonly number[], share: number): string {
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(0);
}
