import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import type { Run } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import type { LedgerUnit } from "../support/ledger-monorepo.ts";

/** Units `u00` … in layers of five: each but the first layer's takes an output of one before it. */
export function ledgerUnits(count: number, generation: number): LedgerUnit[] {
  const width = 5;
  const nameOf = (index: number): string => `u${String(index).padStart(2, "0")}`;
  return Array.from({ length: count }, (_, index) => ({
    name: nameOf(index),
    generation: String(generation),
    // A moment in which an engine is inside its effect, so that faults can meet it there.
    slow: `sleep 0.${1 + (index % 3)}`,
    ...(index < width ? {} : { after: [nameOf(index - width)] }),
  }));
}

/** Units to which something happened inside their effect. */
export interface Struck {
  /** Their engine was applying when a strike met it. */
  readonly hit: ReadonlySet<string>;
  /** Their worker, which nobody struck, could not renew the lease in time and ended the engine: a machine that is too busy. */
  readonly lapsed: ReadonlySet<string>;
}

export interface Verdict {
  /** Units whose engine was hit inside its effect: each is recorded as of unknown outcome. */
  readonly unsure: number;
  /** Of those: units with a line more than once. */
  readonly doubled: number;
  readonly lapsed: number;
}

/**
 * Judges a run by the lines its engines left outside of everything we keep: each unit's effects once and no more. Only
 * where a fault met an engine inside its effect may a line stand twice, and then the step says that it was inspected.
 */
export async function judgeRun(
  ledger: string,
  run: Run,
  units: readonly LedgerUnit[],
  { hit, lapsed }: Struck,
): Promise<Verdict> {
  assert.equal(run.status, "succeeded");
  const lines = (await readFile(ledger, "utf8")).split("\n");
  const verdict = { unsure: 0, doubled: 0, lapsed: 0 };
  for (const { name, generation } of units) {
    const address = `dev/${name}/unit`;
    const step = run.steps.find((one) => one.unit === address);
    assert.equal(step?.status, "succeeded", address);
    const created = lines.filter((line) => line === `create ${name} ${generation}`).length;
    const before = Number(generation) - 1;
    const destroyed = lines.filter((line) => line === `destroy ${name} ${before}`).length;
    const exact = created === 1 && destroyed === (before === 0 ? 0 : 1);
    assert.ok(created > 0, `${address} is said to be applied, and nothing was made`);
    if (!hit.has(address) && !lapsed.has(address)) {
      assert.ok(exact, `${address} was made ${created} times and its predecessor destroyed ${destroyed} times`);
      continue;
    }
    assert.ok(step.outcomeWasUnknown, `${address} was hit inside its engine, and its step does not say so`);
    if (hit.has(address)) verdict.unsure += 1;
    else verdict.lapsed += 1;
    if (created > 1 || destroyed > 1) verdict.doubled += 1;
  }
  return verdict;
}
