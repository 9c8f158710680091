import assert from "node:assert/strict";
import { z } from "zod";
import type { Outcome, TestRepository } from "./xcf-cli.ts";
import { expectCode } from "./xcf-documents.ts";

/** What a refused command has to have said. */
export interface ExpectedRefusal {
  readonly code: number;
  readonly says: readonly RegExp[];
}

/** One line that begins with `xcf:` and has everything that is expected, the exit code, and nothing of our insides. */
export function expectRefusal(outcome: Outcome, { code, says }: ExpectedRefusal): void {
  expectCode(outcome, code);
  const told = outcome.err.split("\n").filter((line) => line.startsWith("xcf: "));
  assert.equal(told.length, 1, `one sentence\n${outcome.err}`);
  for (const pattern of says) assert.match(told[0] ?? "", pattern);
  assert.match(told[0] ?? "", / — /, "it says what to do");
  expectNoInsides(outcome);
}

/** No stack trace, and nobody called it a mistake of the program. */
export function expectNoInsides({ out, err }: Outcome): void {
  for (const text of [out, err]) {
    assert.doesNotMatch(text, /^\s+at .*[:(]/m, "no stack trace");
    assert.doesNotMatch(text, /node:internal|unexpected error|UNEXPECTED|INTERNAL|\[object Object\]/);
  }
}

/** The same refusal for a program: `xcf … -o json`. */
export function refusalAsJson({ err }: Outcome): { code: string; exitCode: number; hint?: string | undefined } {
  return z
    .object({ error: z.looseObject({ code: z.string(), exitCode: z.number(), hint: z.string().optional() }) })
    .parse(JSON.parse(err)).error;
}

/** The audit log verifies, so that nothing that was acknowledged is gone. */
export async function expectIntact(repository: TestRepository): Promise<void> {
  const { out } = expectCode(await repository.xcf(["audit", "verify", "-o", "json"]), 0);
  const { intact, findings } = z.object({ intact: z.boolean(), findings: z.array(z.string()) }).parse(JSON.parse(out));
  assert.ok(intact, findings.join("\n"));
}
