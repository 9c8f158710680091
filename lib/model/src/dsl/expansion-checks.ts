import { decideRoute } from "../route-layers.ts";
import { findCycles } from "./cycles.ts";
import type { DeclaredUnit, Expansion } from "./expansion.ts";
import { findComposition, type Monorepo } from "./monorepo-index.ts";
import { addressMoves, parseMoveEnd, placedMoves } from "./moves.ts";
import type { Problem } from "./problem.ts";
import { problemAtReference, problemAtValue } from "./report.ts";
import { routeQuestion } from "./route-question.ts";

/** What shows only when everything is assembled: cycles, dependencies nobody deploys, routes with something odd in them. */
export function checkExpansions(monorepo: Monorepo, expansions: readonly Expansion[], problems: Problem[]): void {
  checkCycles(expansions, problems);
  for (const expansion of expansions) {
    checkDependenciesDeployed(monorepo, expansion, problems);
    checkMoves(monorepo, expansion, problems);
    checkRoutes(monorepo, expansion, problems);
  }
}

function checkCycles(expansions: readonly Expansion[], problems: Problem[]): void {
  const dependencies = new Map<string, string[]>();
  const units = new Map<string, DeclaredUnit>();
  for (const { units: declared, edges } of expansions) {
    for (const unit of declared) units.set(unit.address, unit);
    for (const { from, to } of edges) {
      const list = dependencies.get(to);
      if (list === undefined) dependencies.set(to, [from]);
      else list.push(from);
    }
  }
  for (const cycle of findCycles(units.keys(), (address) => dependencies.get(address) ?? [])) {
    const unit = units.get(cycle[0] ?? "");
    if (unit === undefined) continue;
    const { composition, moduleIndex } = unit.source;
    problems.push(
      problemAtValue(composition, ["spec", "modules", moduleIndex], {
        code: "CYCLE",
        message: `these units depend on each other: ${cycle.join(" → ")}`,
        hint: "remove one of the references or dependencies",
      }),
    );
  }
}

function checkDependenciesDeployed(monorepo: Monorepo, expansion: Expansion, problems: Problem[]): void {
  const { environment } = expansion;
  const { name } = environment.value.metadata;
  const placed = monorepo.placements.get(name);
  for (const composition of new Set(expansion.units.map((unit) => unit.source.composition))) {
    for (const [index, { ref }] of (composition.value.spec.dependencies ?? []).entries()) {
      const target = findComposition(monorepo, ref)?.value.metadata.name;
      if (target === undefined || placed?.has(target) === true) continue;
      problems.push(
        problemAtValue(composition, ["spec", "dependencies", index, "ref"], {
          code: "DEPENDENCY_ABSENT",
          message: `the environment "${name}" does not assemble the dependency "${target}"`,
          hint: `add it to the compositions of ${environment.source.file}; until then nothing is ordered by it there`,
          severity: "warning",
        }),
      );
    }
  }
}

function checkMoves(monorepo: Monorepo, expansion: Expansion, problems: Problem[]): void {
  const addresses = new Set(expansion.units.map((unit) => unit.address));
  for (const { move, document, path, composition } of placedMoves(monorepo, expansion.environment)) {
    for (const end of ["from", "to"] as const) {
      const parsed = parseMoveEnd(move[end]);
      if (parsed !== undefined && (parsed.composition ?? composition) !== undefined) continue;
      problems.push(
        problemAtValue(document, [...path, end], {
          code: "MOVE_INVALID",
          message: `"${move[end]}" is no end of a move`,
          hint: "write <composition>[@<region>]/<module>; in a composition <module> alone means its own",
        }),
      );
    }
  }
  const { name } = expansion.environment.value.metadata;
  for (const { from, to, document, path } of addressMoves(monorepo, expansion.environment)) {
    if (!addresses.has(from)) continue;
    problems.push(
      problemAtValue(document, [...path, "from"], {
        code: "MOVE_TAKEN",
        message: `${from} cannot move to ${to}, since "${name}" still declares it`,
        hint: "remove the move, or the old unit",
      }),
    );
  }
}

function checkRoutes(monorepo: Monorepo, expansion: Expansion, problems: Problem[]): void {
  const { environment } = expansion;
  let windowless: DeclaredUnit | undefined;
  for (const unit of expansion.units) {
    // Only Foundation has a gate that no layer may loosen, and one that asks for a window.
    if (unit.lifecycle !== "Foundation") continue;
    const decision = decideRoute(routeQuestion(monorepo, unit));
    for (const { code, at, message, hint } of decision.problems) {
      problems.push(problemAtReference(at, { code, message, hint, severity: "warning" }));
    }
    if ((decision.route.window?.value.allOf.length ?? 0) === 0) windowless ??= unit;
  }
  if (windowless === undefined) return;
  problems.push(
    problemAtValue(environment, ["metadata", "name"], {
      code: "WINDOW_UNDECLARED",
      message: `Foundation asks for a change window, and none is declared for ${windowless.address}: it is open at all times`,
      hint: "add windows to the environment or to .xcf.yaml",
      severity: "warning",
    }),
  );
}
