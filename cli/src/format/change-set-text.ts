import { executionGraph } from "@xcloudflow/model/execution-order";
import { orderWaves } from "@xcloudflow/model/graph";
import type { ChangeSummary } from "@xcloudflow/model/unit-plan";
import type { ShownChangeSet } from "../output/change-set-output.ts";
import { changeLines, outputText } from "./change-text.ts";

const NOTE: Readonly<Record<string, string>> = {
  provisional:
    "provisional: some inputs are known only after units above it are applied; it is planned again then and must stay inside this plan",
  deferred:
    "deferred: it cannot be planned before units above it are applied; its real plan needs an approval of its own",
};

/** A ChangeSet as a person reads it: units in order with their changes, then gates, policy, id and what to do next. */
export function changeSetText(changeSet: ShownChangeSet): string {
  const lines: string[] = [];
  for (const unit of inOrder(changeSet)) {
    if (unit.status === "unchanged") continue;
    lines.push(
      `${unit.address}  ${unit.lifecycle} · ${unit.engine} · gate ${unit.route.gate.value.kind}${unit.destroy ? " · destroy" : ""}`,
    );
    const note = NOTE[unit.status];
    if (note !== undefined) lines.push(`  (${note})`);
    for (const change of unit.changes) lines.push(...changeLines(change).map((line) => `  ${line}`));
    const outputs = Object.entries(unit.outputs).filter(([, output]) => output.unknown);
    for (const [name, output] of outputs) lines.push(`  output ${name} = ${outputText(output)}`);
    for (const hazard of unit.hazards) lines.push(`  ! ${hazard}`);
    lines.push("");
  }
  for (const unit of changeSet.units)
    if (unit.movedFrom !== undefined) lines.push(`Moved: ${unit.movedFrom} becomes ${unit.address}`, "");
  const unchanged = changeSet.units.filter((unit) => unit.status === "unchanged" && unit.movedFrom === undefined);
  if (unchanged.length > 0) lines.push(`Unchanged: ${unchanged.map((unit) => unit.address).join(", ")}`, "");
  lines.push(summaryLine(changeSet));
  for (const denial of changeSet.policy.denials)
    lines.push(`✗ denied${denial.unit === undefined ? "" : ` ${denial.unit}`}: ${denial.message}`);
  for (const warning of changeSet.policy.warnings)
    lines.push(`! warning${warning.unit === undefined ? "" : ` ${warning.unit}`}: ${warning.message}`);
  for (const change of changeSet.governance.changes) lines.push(`! governance: ${change}`);
  lines.push(...gateLines(changeSet));
  lines.push(
    `ChangeSet ${changeSet.id}  ${changeSet.phase}${changeSet.reason === undefined ? "" : ` (${changeSet.reason})`}`,
    `digest    ${changeSet.digest}`,
  );
  return `${lines.join("\n")}\n`;
}

/** Units in the order in which they run, so that a reader meets a producer before its consumers. */
function inOrder(changeSet: ShownChangeSet): ShownChangeSet["units"] {
  const units = changeSet.units.map(({ address, destroy }) => ({
    address,
    action: destroy ? ("destroy" as const) : ("apply" as const),
  }));
  const place = new Map(
    orderWaves(executionGraph(units, changeSet.edges))
      .flat()
      .map((address, index) => [address, index]),
  );
  return changeSet.units.toSorted((a, b) => (place.get(a.address) ?? 0) - (place.get(b.address) ?? 0));
}

export function totalSummary(changeSet: ShownChangeSet): ChangeSummary {
  const total = { create: 0, update: 0, replace: 0, delete: 0, noop: 0 };
  for (const { summary } of changeSet.units) {
    for (const key of ["create", "update", "replace", "delete", "noop"] as const) total[key] += summary[key];
  }
  return total;
}

function summaryLine(changeSet: ShownChangeSet): string {
  const { create, update, replace, delete: removed } = totalSummary(changeSet);
  const changing = changeSet.units.filter((unit) => unit.status !== "unchanged").length;
  return `Plan for ${changeSet.environment} at ${changeSet.commit.slice(0, 12)}: ${changing} unit${changing === 1 ? " changes" : "s change"}; ${create} to create, ${update} to update, ${replace} to replace, ${removed} to delete.`;
}

function gateLines(changeSet: ShownChangeSet): string[] {
  return changeSet.gates.map((gate) => {
    if (gate.kind === "window") return `gate      ${gateText(gate)}`;
    return `gate      ${gate.satisfied === true ? "✓" : "·"} ${gateText(gate)}`;
  });
}

/** What must happen first, and why: `1 approval from platform-leads (not its authors): …`. */
export function gateText(gate: ShownChangeSet["gates"][number]): string {
  if (gate.kind === "window") return `window ${gate.window}`;
  const who = gate.groups.length === 0 ? "an approver" : gate.groups.join(" or ");
  const self = gate.selfApproval ? " (your own apply counts)" : " (not its authors)";
  return `${gate.quorum} approval${gate.quorum === 1 ? "" : "s"} from ${who}${self}: ${gate.reasons.join("; ")}`;
}
