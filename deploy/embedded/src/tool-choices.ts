import { dirname } from "node:path";
import { type Environment, findTool } from "./tool-places.ts";

/** The places a service looks for its program, from what was found. */
export interface ToolChoice {
  readonly configured: string | undefined;
  readonly path: string | undefined;
  readonly toolsFolder: string | undefined;
}

export function chooseTool(name: string, environment: Environment): ToolChoice {
  const found = findTool(name, environment);
  return {
    configured: found.from === "configured" ? found.path : undefined,
    path: environment.PATH,
    toolsFolder: found.from === "tools cache" && found.path !== undefined ? dirname(found.path) : undefined,
  };
}
