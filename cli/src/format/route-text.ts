import { ROUTE_FIELDS, type Route } from "@xcloudflow/model/route";
import { describeWindowRule } from "@xcloudflow/model/window";

/** A Route as a table: field, value, and what decided it. */
export function routeText(route: Route): string {
  const rows = ROUTE_FIELDS.flatMap((field) => {
    const decision = route[field];
    if (decision === undefined) return [];
    const { layer, at } = decision.from;
    return [[field, valueText(route, field), at === undefined ? layer : `${layer}  ${at}`] as const];
  });
  const wide = Math.max(...rows.map(([, value]) => value.length));
  return `${route.address}\n${rows.map(([field, value, from]) => `  ${field.padEnd(15)}  ${value.padEnd(wide)}  ${from}\n`).join("")}`;
}

function valueText(route: Route, field: (typeof ROUTE_FIELDS)[number]): string {
  switch (field) {
    case "reconcile": {
      const { strategy, interval } = route.reconcile.value;
      return `${strategy} ${interval}`;
    }
    case "gate": {
      const { kind, groups, quorum } = route.gate.value;
      const who = groups.length === 0 ? "" : ` of ${groups.join(" or ")}`;
      return kind === "forced" || kind === "environment" ? `${kind} (quorum ${quorum}${who})` : kind;
    }
    case "window":
      return route.window === undefined ? "" : describeWindowRule(route.window.value);
    case "observe": {
      const observe = route.observe?.value;
      return observe === undefined
        ? ""
        : `${observe.window}, ${observe.checks.length} check${observe.checks.length === 1 ? "" : "s"}, on breach ${observe.onBreach}`;
    }
    default:
      return String(route[field]?.value ?? "");
  }
}
