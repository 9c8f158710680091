import type { DrawnGraph } from "../output/graph-output.ts";

export function graphText({ units, edges, waves }: DrawnGraph): string {
  if (units.length === 0) return "No units.\n";
  const byAddress = new Map(units.map((unit) => [unit.address, unit]));
  const lines = waves.flatMap((wave, index) => [
    `wave ${index + 1}`,
    ...wave.map((address) => {
      const unit = byAddress.get(address);
      const needs = edges.filter((edge) => edge.to === address).map((edge) => edge.from);
      const why = unit?.reason === undefined ? "" : `  (${unit.reason}${unit.destroy === true ? ", destroy" : ""})`;
      return `  ${address}  ${unit?.lifecycle ?? ""} · ${unit?.engine ?? ""}${why}${needs.length === 0 ? "" : `  ← ${needs.join(", ")}`}`;
    }),
  ]);
  return `${lines.join("\n")}\n`;
}

export function graphMermaid({ units, edges }: DrawnGraph): string {
  const ids = new Map(units.map((unit, index) => [unit.address, `u${index}`]));
  return [
    "flowchart TD",
    ...units.map((unit) => `  ${ids.get(unit.address)}["${unit.address}<br/>${unit.lifecycle} · ${unit.engine}"]`),
    ...edges.map((edge) => `  ${ids.get(edge.from)} --> ${ids.get(edge.to)}`),
    "",
  ].join("\n");
}
