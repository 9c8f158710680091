import { outside } from "./module-ref.ts";
import type { Monorepo } from "./monorepo-index.ts";
import { didYouMean } from "./nearest.ts";
import type { ParsedDocument } from "./parse.ts";
import type { Problem } from "./problem.ts";
import { problemAtValue } from "./report.ts";
import { normalizeRepositoryPath } from "./repository-path.ts";
import type { Path } from "./source.ts";

/** Reports a `ref` that locates no composition: outside the repository, or nothing there. */
export function reportMissing(
  monorepo: Monorepo,
  document: ParsedDocument,
  path: Path,
  ref: string,
  problems: Problem[],
): void {
  if (normalizeRepositoryPath(ref) === undefined) {
    const { code, message, hint } = outside(ref);
    problems.push(problemAtValue(document, path, { code, message, hint }));
    return;
  }
  const stems = (): string[] => [...monorepo.compositionRefs.keys()].filter((known) => !/\.ya?ml$/.test(known));
  problems.push(
    problemAtValue(document, path, {
      code: "REF_MISSING",
      message: `there is no composition at "${ref}"`,
      hint: didYouMean(ref, stems, `add ${ref}.yaml, or correct the reference`, problems.length),
    }),
  );
}
