import type { ChangeSet } from "@xcloudflow/model/change-set";
import { windowUnderRules } from "@xcloudflow/model/plan-condition";
import { describeWindowRule, isWindowOpen, nextWindowOpening } from "@xcloudflow/model/window";

/** The first unit of a ChangeSet whose window is closed now; undefined when everything may run. */
export function closedWindow(
  changeSet: ChangeSet,
  now: Date,
): { readonly reason: string; readonly opensAt: Date | undefined } | undefined {
  for (const unit of changeSet.units) {
    const rule =
      unit.status === "unchanged" ? undefined : windowUnderRules(unit.route, changeSet.governance.conditions, unit);
    if (rule === undefined || isWindowOpen(rule, now)) continue;
    const opensAt = nextWindowOpening(rule, now);
    const when =
      opensAt === undefined ? "it does not open in the next 400 days" : `it opens at ${opensAt.toISOString()}`;
    return { reason: `the window of ${unit.address} is closed (${describeWindowRule(rule)}); ${when}`, opensAt };
  }
  return undefined;
}
