import { type Environment, findTool } from "@xcloudflow/embedded/tool-places";
import { CodedError } from "@xcloudflow/model/coded-error";
import type { MeshTools } from "./process-environment.ts";

/** Thrown when the mesh needs a program that is not on this machine. */
export class MeshToolMissingError extends CodedError {
  constructor(name: string) {
    super("MESH_TOOL_MISSING", "unavailable", {
      what: `the mesh needs ${name}, and it is not on PATH nor in the tools cache`,
      hint: "`make mesh` builds it; `xcf doctor` names the usual ways",
    });
  }
}

const BASE = ["PATH", "HOME", "LANG", "TZ", "XDG_CACHE_HOME"];

/** Programs where every part of the product looks for them, and the little of our environment that processes get. */
export function findMeshTools(environment: Environment): MeshTools & { readonly nats: string } {
  const path = (name: string): string | undefined => findTool(name, environment).path;
  const nats = path("nats-server");
  if (nats === undefined) throw new MeshToolMissingError("nats-server");
  const base = Object.fromEntries(
    BASE.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]])),
  );
  return { base, nats, opa: path("opa"), sops: path("sops"), terraform: path("terraform"), tofu: path("tofu") };
}
