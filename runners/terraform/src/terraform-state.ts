import { isJsonObject, type JsonObject, type JsonValue } from "@xcloudflow/model/json-value";
import { parseJson } from "@xcloudflow/model/parse-json";
import type { UnitOutput } from "@xcloudflow/model/unit-plan";
import type { EngineState } from "@xcloudflow/runner-host/engine";
import type { ValueRedactor } from "@xcloudflow/runner-host/value-redactor";
import { knownOutput } from "./terraform-plan.ts";

/** A state file (version 4) as far as this runner looks into it; the rest is passed on unchanged. */
export interface TerraformState {
  readonly serial: number;
  readonly lineage: string;
  readonly outputs: readonly StateOutput[];
  readonly document: JsonObject;
}

export interface StateOutput {
  readonly name: string;
  readonly value: JsonValue;
  readonly type: JsonValue | undefined;
  readonly sensitive: boolean;
}

export const EMPTY_STATE: TerraformState = { serial: 0, lineage: "", outputs: [], document: {} };

/** Undefined when the text is no state of version 4 (encrypted by OpenTofu, or of a version to come). */
export function readState(text: string): TerraformState | undefined {
  if (text.trim() === "") return EMPTY_STATE;
  const document = parseJson(text, "the engine's state");
  if (!isJsonObject(document) || document["version"] !== 4) return undefined;
  const { serial, lineage, outputs } = document;
  if (typeof serial !== "number" || typeof lineage !== "string") return undefined;
  return { serial, lineage, outputs: Object.entries(isJsonObject(outputs) ? outputs : {}).map(readOutput), document };
}

function readOutput([name, output]: readonly [string, JsonValue]): StateOutput {
  const members: JsonObject = isJsonObject(output) ? output : {};
  return { name, value: members["value"] ?? null, type: members["type"], sensitive: members["sensitive"] === true };
}

/** Outputs as they may travel. */
export function publicOutputs(state: TerraformState, redactor: ValueRedactor): Record<string, UnitOutput> {
  return Object.fromEntries(
    state.outputs.map(({ name, value, type, sensitive }) => [name, knownOutput(value, sensitive, type, redactor)]),
  );
}

/** Outputs in clear, for the host to keep. */
export function engineState(state: TerraformState): EngineState {
  const outputs = state.outputs.map(({ name, value, type, sensitive }) => ({
    name,
    sensitive,
    json: JSON.stringify(value),
    type: type === undefined ? "" : JSON.stringify(type),
  }));
  return { serial: state.serial, lineage: state.lineage, outputs };
}

/** Instances of managed resources in a state: what an empty plan leaves as it is. */
export function countResources(state: TerraformState): number {
  const { resources } = state.document;
  if (!Array.isArray(resources)) return 0;
  return resources.reduce((count: number, resource: JsonValue) => count + instancesOf(resource), 0);
}

function instancesOf(resource: JsonValue): number {
  if (!isJsonObject(resource) || resource["mode"] !== "managed") return 0;
  const { instances } = resource;
  return Array.isArray(instances) ? instances.length : 0;
}

/** Addresses of the managed resource instances in a state, as terraform's command line takes them. */
export function resourceAddresses(state: TerraformState): string[] {
  const { resources } = state.document;
  if (!Array.isArray(resources)) return [];
  return resources.flatMap((resource) => {
    if (!isJsonObject(resource) || resource["mode"] !== "managed") return [];
    const { module, type, name, instances } = resource;
    const address = `${typeof module === "string" ? `${module}.` : ""}${String(type)}.${String(name)}`;
    return (Array.isArray(instances) ? instances : []).map((instance) => `${address}${instanceKey(instance)}`);
  });
}

/** `[0]` of count, `["name"]` of for_each; a template's beginning in a name is escaped as HCL wants it. */
function instanceKey(instance: JsonValue): string {
  const key = isJsonObject(instance) ? instance["index_key"] : undefined;
  if (key === undefined || key === null) return "";
  return `[${JSON.stringify(key).replaceAll(/[$%](?=\{)/g, "$&$&")}]`;
}
