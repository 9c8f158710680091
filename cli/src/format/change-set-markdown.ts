import type { ShownChangeSet } from "../output/change-set-output.ts";
import { gateText, totalSummary } from "./change-set-text.ts";
import { changeLines } from "./change-text.ts";

/** A ChangeSet for a pull request or a CI summary. Text that people or engines wrote can never end its block. */
export function changeSetMarkdown(changeSet: ShownChangeSet): string {
  const { create, update, replace, delete: removed } = totalSummary(changeSet);
  const lines = [
    `### XCloudFlow plan for \`${changeSet.environment}\``,
    "",
    `**${create}** to create, **${update}** to update, **${replace}** to replace, **${removed}** to delete · ${changeSet.phase}`,
    "",
    "| unit | lifecycle | engine | gate | status | + | ~ | ± | - |",
    "|---|---|---|---|---|---|---|---|---|",
    ...changeSet.units.map(
      (unit) =>
        `| \`${unit.address}\` | ${unit.lifecycle} | ${unit.engine} | ${unit.route.gate.value.kind} | ${unit.status} | ${unit.summary.create} | ${unit.summary.update} | ${unit.summary.replace} | ${unit.summary.delete} |`,
    ),
    "",
    ...changeSet.policy.denials.map((denial) => `- ❌ ${inline(`${denial.unit ?? ""} ${denial.message}`.trim())}`),
    ...changeSet.policy.warnings.map((warning) => `- ⚠️ ${inline(`${warning.unit ?? ""} ${warning.message}`.trim())}`),
    ...changeSet.governance.changes.map((change) => `- ⚠️ ${inline(change)}`),
    ...changeSet.gates.map((gate) => {
      const isOpen = gate.kind === "window" || gate.satisfied !== true;
      return `- ${isOpen ? "⏳" : "✅"} ${inline(gateText(gate))}`;
    }),
    "",
  ];
  for (const unit of changeSet.units) {
    const changes = unit.changes.flatMap(changeLines);
    if (changes.length === 0) continue;
    const fence = fenceFor(changes);
    lines.push(
      `<details><summary><code>${unit.address}</code></summary>`,
      "",
      `${fence}diff`,
      ...changes,
      fence,
      "",
      "</details>",
      "",
    );
  }
  lines.push(`ChangeSet \`${changeSet.id}\` · digest \`${changeSet.digest}\` · commit \`${changeSet.commit}\``, "");
  return lines.join("\n");
}

function inline(text: string): string {
  return text.replaceAll(/[\r\n]+/g, " ").replaceAll(/[\\`*_{}[\]<>|]/g, (character) => `\\${character}`);
}

/** Longer than any run of backticks inside. */
function fenceFor(lines: readonly string[]): string {
  const longest = Math.max(2, ...lines.flatMap((line) => [...line.matchAll(/`+/g)].map(([run]) => run.length)));
  return "`".repeat(longest + 1);
}
