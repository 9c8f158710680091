import { compilationSchema, type Edge } from "@xcloudflow/model/compilation";
import { hasErrors } from "@xcloudflow/model/dsl/problem";
import { buildGraph, orderWaves } from "@xcloudflow/model/graph";
import { decodeDocument } from "@xcloudflow/model/parse-json";
import { ProblemsFoundError } from "@xcloudflow/model/problems-found-error";
import { compileWorkTree } from "../compile-work-tree.ts";
import { EXIT, type ExitCode } from "../exit-code.ts";
import { graphMermaid, graphText } from "../format/graph-text.ts";
import { type DrawnGraph, graphOutputSchema } from "../output/graph-output.ts";
import { findRepository, resolveCommit } from "../repository-cli.ts";
import { openSession } from "../session.ts";
import type { CommonOptions, Surroundings } from "../surroundings.ts";
import { printJson } from "../terminal.ts";

export interface GraphOptions extends CommonOptions {
  readonly env?: string;
  readonly affected?: boolean;
  readonly head?: string;
  readonly base?: string;
}

/** The DAG in waves; `--affected` asks the control plane which units a commit touches. */
export async function graph(surroundings: Surroundings, options: GraphOptions): Promise<ExitCode> {
  const drawn =
    options.affected === true ? await affectedGraph(surroundings, options) : await workTreeGraph(surroundings, options);
  if (options.output === "json") printJson(surroundings.terminal, graphOutputSchema, drawn);
  else surroundings.terminal.out(options.output === "mermaid" ? graphMermaid(drawn) : graphText(drawn));
  return EXIT.done;
}

async function workTreeGraph(surroundings: Surroundings, options: GraphOptions): Promise<DrawnGraph> {
  const compiled = await compileWorkTree(await findRepository(surroundings.directory), options.env);
  if (hasErrors(compiled.problems)) throw new ProblemsFoundError(compiled.problems);
  const units = compiled.units.map(({ unit, route }) => ({
    address: unit.address,
    lifecycle: unit.lifecycle,
    engine: route.engine.value,
  }));
  return draw(units, compiled.edges);
}

async function affectedGraph(surroundings: Surroundings, options: GraphOptions): Promise<DrawnGraph> {
  const session = await openSession(surroundings, options);
  try {
    const head = await resolveCommit(surroundings.directory, options.head ?? "HEAD");
    const { compilationDocument } = await session.api.preview(
      { repository: session.repository, environment: options.env ?? "", head, base: options.base ?? "" },
      session.call,
    );
    const compilation = decodeDocument(compilationSchema, compilationDocument, "the planner's compilation");
    const units = compilation.units
      .filter((unit) => unit.selected)
      .map((unit) => ({
        address: unit.address,
        lifecycle: unit.route.lifecycle.value,
        engine: unit.engine,
        reason: unit.reason,
        ...(unit.action === "destroy" ? { destroy: true as const } : {}),
      }));
    return draw(units, compilation.edges);
  } finally {
    session.close();
  }
}

function draw(units: DrawnGraph["units"], edges: readonly Edge[]): DrawnGraph {
  const names = new Set(units.map((unit) => unit.address));
  const inside = edges.filter((edge) => names.has(edge.from) && names.has(edge.to));
  return { units, edges: inside, waves: orderWaves(buildGraph([...names], inside)) };
}
