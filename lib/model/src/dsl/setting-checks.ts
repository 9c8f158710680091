import type { Composition } from "./composition.ts";
import type { ParsedDocument } from "./parse.ts";
import type { Problem } from "./problem.ts";
import { problemAtKey } from "./report.ts";
import type { Settings } from "./settings.ts";
import type { Path } from "./source.ts";

/** A decision that one place writes twice, in the two spellings there are. */
export function checkSettings(composition: ParsedDocument<Composition>, problems: Problem[]): void {
  checkReconcile(composition, ["spec"], composition.value.spec, problems);
  for (const [index, module] of composition.value.spec.modules.entries()) {
    const path = ["spec", "modules", index];
    checkReconcile(composition, path, module, problems);
    const { policies } = module;
    const pairs: [string, unknown, string, unknown][] = [
      ["approvalPolicy", module.approvalPolicy, "approval", policies?.approval],
      ["backupPolicy", module.backupPolicy, "backup", policies?.backup],
      ["driftPolicy", module.driftPolicy, "drift", policies?.drift],
      ["reconcile", module.reconcile ?? module.reconcileStrategy, "reconcile", policies?.reconcile],
    ];
    for (const [long, value, short, other] of pairs) {
      if (value === undefined || other === undefined) continue;
      problems.push(twice(composition, [...path, "policies", short], `${long} and policies.${short}`));
    }
  }
}

/** The same for any document with settings at `path`. */
export function checkReconcile(document: ParsedDocument, path: Path, settings: Settings, problems: Problem[]): void {
  if (settings.reconcileStrategy === undefined || settings.reconcile?.strategy === undefined) return;
  problems.push(twice(document, [...path, "reconcileStrategy"], "reconcile.strategy and reconcileStrategy"));
}

function twice(document: ParsedDocument, path: Path, what: string): Problem {
  return problemAtKey(document, path, {
    code: "SETTING_TWICE",
    message: `${what} decide the same`,
    hint: "keep one of them",
  });
}
