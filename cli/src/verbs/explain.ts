import { hasErrors } from "@xcloudflow/model/dsl/problem";
import { ProblemsFoundError } from "@xcloudflow/model/problems-found-error";
import { ROUTE_FIELDS, type Route } from "@xcloudflow/model/route";
import { compileWorkTree, findUnits } from "../compile-work-tree.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { routeText } from "../format/route-text.ts";
import { explainOutputSchema } from "../output/explain-output.ts";
import { findRepository } from "../repository-cli.ts";
import type { CommonOptions, Surroundings } from "../surroundings.ts";
import { printJson } from "../terminal.ts";

export interface ExplainOptions extends CommonOptions {
  readonly env?: string;
}

/** The Route of each unit a REF stands for, every field with the layer and place that decided it. */
export async function explain(surroundings: Surroundings, ref: string, options: ExplainOptions): Promise<ExitCode> {
  const compiled = await compileWorkTree(await findRepository(surroundings.directory), options.env);
  if (hasErrors(compiled.problems) && compiled.units.length === 0) throw new ProblemsFoundError(compiled.problems);
  const routes = findUnits(compiled, ref).map(({ route }) => route);
  if (options.output === "json") printJson(surroundings.terminal, explainOutputSchema, { units: routes.map(ordered) });
  else surroundings.terminal.out(routes.map(routeText).join("\n"));
  return EXIT.done;
}

function ordered(route: Route): Record<string, unknown> {
  return {
    address: route.address,
    ...Object.fromEntries(ROUTE_FIELDS.flatMap((field) => (route[field] === undefined ? [] : [[field, route[field]]]))),
  };
}
