import assert from "node:assert/strict";
import { z } from "zod";
import type { Outcome, TestRepository } from "./xcf-cli.ts";

/** What tests read of `xcf … -o json`; the rest may be there. */
export const changeSetSchema = z.looseObject({
  id: z.string(),
  digest: z.string(),
  phase: z.string(),
  environment: z.string(),
  units: z.array(
    z.looseObject({
      address: z.string(),
      status: z.string(),
      summary: z.object({
        create: z.number(),
        update: z.number(),
        replace: z.number(),
        delete: z.number(),
        noop: z.number(),
      }),
      changes: z.array(
        z.looseObject({
          address: z.string(),
          actions: z.array(z.string()),
          before: z.unknown(),
          after: z.unknown(),
          unknown: z.unknown(),
        }),
      ),
      hazards: z.array(z.string()),
    }),
  ),
});
export type ShownChangeSet = z.infer<typeof changeSetSchema>;

export const runSchema = z.looseObject({
  id: z.string(),
  kind: z.string(),
  status: z.string(),
  waitingFor: z.string().optional(),
  waitingKind: z.string().optional(),
  failure: z.looseObject({ code: z.string(), what: z.string(), hint: z.string().optional() }).optional(),
  changeSet: z.string().optional(),
  steps: z.array(
    z.looseObject({
      unit: z.string(),
      status: z.string(),
      stage: z.string(),
      attempts: z.number(),
      outcomeWasUnknown: z.boolean(),
      reason: z.string().optional(),
      startedAt: z.string().optional(),
      endedAt: z.string().optional(),
    }),
  ),
});
export type ShownRun = z.infer<typeof runSchema>;

/** Plans and answers the ChangeSet; `undefined` when there was nothing to change (exit code 0). */
export async function planChange(
  repository: TestRepository,
  words: readonly string[] = [],
  as?: string,
): Promise<ShownChangeSet | undefined> {
  const { out, err, code } = await repository.xcf(["plan", "-o", "json", ...words], as === undefined ? {} : { as });
  assert.ok(code === 0 || code === 2 || code === 4, `plan exits ${code}: ${err}`);
  if (code === 0) return undefined;
  return changeSetSchema.parse(JSON.parse(out));
}

/** As `planChange`, where there must be something to change. */
export async function planSomething(
  repository: TestRepository,
  words: readonly string[] = [],
  as?: string,
): Promise<ShownChangeSet> {
  const changeSet = await planChange(repository, words, as);
  assert.ok(changeSet !== undefined, "there is something to change");
  return changeSet;
}

export async function showRun(repository: TestRepository, id: string): Promise<ShownRun> {
  return runSchema.parse(JSON.parse(expectCode(await repository.xcf(["show", id, "-o", "json"]), 0).out));
}

/** The newest runs, newest first. */
export async function listRuns(repository: TestRepository, limit = 200): Promise<ShownRun[]> {
  const { out } = expectCode(await repository.xcf(["runs", "-o", "json", "--limit", String(limit)]), 0);
  return z.object({ runs: z.array(runSchema) }).parse(JSON.parse(out)).runs;
}

/** The outcome, when its exit code is the one that is expected. */
export function expectCode(outcome: Outcome, code: number): Outcome {
  assert.equal(outcome.code, code, `exit code ${outcome.code}\n${outcome.out}\n${outcome.err}`);
  return outcome;
}
