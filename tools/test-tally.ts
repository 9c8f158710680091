import { inspect } from "node:util";

/** What became of one test file or check. */
export interface SuiteOutcome {
  name: string;
  passed: number;
  failed: number;
  /** Names of skipped tests with the reason given. */
  skipped: string[];
  seconds: number;
}

/** One line for one suite. */
export function describeSuite(suite: SuiteOutcome): string {
  const parts = [`${suite.passed} passed`];
  if (suite.failed > 0) parts.push(`${suite.failed} failed`);
  if (suite.skipped.length > 0) parts.push(`${suite.skipped.length} skipped`);
  return `${suite.failed > 0 ? "FAIL" : "ok  "} ${suite.name}  ${parts.join(", ")}  ${suite.seconds.toFixed(1)} s`;
}

/** What was skipped, each reason once with its count, and as the last line `N passed, N failed`. */
export function describeTotals(suites: SuiteOutcome[]): string[] {
  const reasons = new Map<string, number>();
  for (const reason of suites.flatMap((suite) => suite.skipped)) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  const skips = [...reasons].sort().map(([reason, count]) => `skipped ${count}: ${reason}`);
  const sum = (pick: (suite: SuiteOutcome) => number) => suites.reduce((total, suite) => total + pick(suite), 0);
  return [...skips, `${sum((suite) => suite.passed)} passed, ${sum((suite) => suite.failed)} failed`];
}

/** A failed test: its name, where it stands, and its error with everything the assertion compared. */
export function describeFailure(name: string, place: string, error: Error): string {
  const cause = error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : inspect(error);
  return `\nFAIL ${name}\n     ${place}\n${cause.replace(/^/gm, "     ")}\n\n`;
}
