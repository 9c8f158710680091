/** Whether a version satisfies a constraint. */
export type VersionConstraint = (version: string) => boolean;

interface Version {
  readonly numbers: readonly number[];
  readonly prerelease: string | undefined;
}

const VERSION = /^v?(\d{1,9}(?:\.\d{1,9}){0,3})(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;
const PART = /^(=|!=|>=|<=|>|<|~>)?\s*(\S+)$/;

/**
 * Reads a constraint as Terraform writes them: `1.11.4`, `>= 1.6, < 2.0`, `~> 1.8.1`. All parts must hold. A prerelease
 * satisfies only a constraint that names exactly it. Undefined where `text` is no constraint.
 */
export function parseVersionConstraint(text: string): VersionConstraint | undefined {
  const tests: VersionConstraint[] = [];
  for (const part of text.split(",")) {
    const [, operator = "=", named = ""] = PART.exec(part.trim()) ?? [];
    const wanted = parseVersion(named);
    if (wanted === undefined) return undefined;
    tests.push((version) => holds(operator, parseVersion(version), wanted));
  }
  return (version) => tests.every((test) => test(version));
}

function parseVersion(text: string): Version | undefined {
  const [, numbers, prerelease] = VERSION.exec(text) ?? [];
  return numbers === undefined ? undefined : { numbers: numbers.split(".").map(Number), prerelease };
}

function holds(operator: string, version: Version | undefined, wanted: Version): boolean {
  if (version === undefined) return false;
  const order = compare(version.numbers, wanted.numbers);
  const same = order === 0 && version.prerelease === wanted.prerelease;
  if (operator === "=") return same;
  if (operator === "!=") return !same;
  if (version.prerelease !== undefined || wanted.prerelease !== undefined) return same && operator.includes("=");
  if (operator === ">") return order > 0;
  if (operator === "<") return order < 0;
  if (operator === "<=") return order <= 0;
  if (operator === ">=") return order >= 0;
  // ~> 1.8.1: at least that, and the numbers before the last one named are the same.
  const fixed = wanted.numbers.slice(0, Math.max(1, wanted.numbers.length - 1));
  return order >= 0 && fixed.every((number, index) => (version.numbers[index] ?? 0) === number);
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
