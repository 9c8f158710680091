import type { Address } from "@xcloudflow/model/address";
import { CodedError } from "@xcloudflow/model/coded-error";
import { type Inputs, type InputValue, inputNodes, replaceNodes } from "@xcloudflow/model/input-value";
import { isJsonObject, type JsonValue } from "@xcloudflow/model/json-value";
import type { UnitOutput } from "@xcloudflow/model/unit-plan";

/** What is known of a producer's outputs at this moment. */
export type KnownOutputs =
  | { readonly kind: "known"; readonly outputs: Readonly<Record<string, UnitOutput>> }
  /** The producer could not be planned yet (deferred): none of its outputs is known. */
  | { readonly kind: "allUnknown" }
  /** The producer has never been applied and is not part of this change. */
  | { readonly kind: "absent" };

export interface ResolvedInputs {
  readonly inputs: Inputs;
  /** Some input is a real unknown: the plan shows the truth but may not be applied. */
  readonly provisional: boolean;
}

/** Thrown when a reference names an output its producer does not have, or a path into it that leads nowhere. */
export class OutputMissingError extends CodedError {
  constructor(consumer: Address, producer: Address, what: string, hint: string) {
    super("OUTPUT_MISSING", "invalid", { where: consumer, what: `${producer}: ${what}`, hint });
  }
}

/**
 * Replaces references by what is known of the producers now. Values stay values, what a plan has not decided becomes
 * a real unknown, and a sensitive output stays a reference that only a runner can open, with its HMAC.
 *
 * @throws {OutputMissingError} when an output or path does not exist.
 */
export function resolveInputs(
  consumer: Address,
  inputs: Inputs,
  outputsOf: (producer: Address) => KnownOutputs,
): ResolvedInputs {
  const resolved: Record<string, InputValue> = {};
  for (const [name, value] of Object.entries(inputs)) {
    resolved[name] = replaceNodes(value, (node) => {
      if (node.$xcf !== "output") return node;
      const known = outputsOf(node.address);
      if (known.kind === "absent") {
        throw new OutputMissingError(
          consumer,
          node.address,
          "it has not been applied and is not part of this change",
          "plan both, or apply it first",
        );
      }
      if (known.kind === "allUnknown")
        return { $xcf: "unknown", address: node.address, output: node.output, sensitive: false };
      const output = known.outputs[node.output];
      if (output === undefined) {
        const names = Object.keys(known.outputs).sort().join(", ") || "none";
        throw new OutputMissingError(
          consumer,
          node.address,
          `it has no output "${node.output}"`,
          `its outputs: ${names}`,
        );
      }
      return bindOutput(consumer, node, output);
    });
  }
  const provisional = Object.values(resolved).some((value) =>
    [...inputNodes(value)].some((node) => node.$xcf === "unknown"),
  );
  return { inputs: resolved, provisional };
}

function bindOutput(
  consumer: Address,
  node: { readonly address: Address; readonly output: string; readonly path?: readonly (string | number)[] },
  output: UnitOutput,
): InputValue {
  if (output.unknown)
    return { $xcf: "unknown", address: node.address, output: node.output, sensitive: output.sensitive };
  if (output.sensitive) {
    const path = node.path === undefined ? {} : { path: node.path };
    return { $xcf: "sensitive", address: node.address, output: node.output, ...path, hmac: output.hmac };
  }
  let value: JsonValue | undefined = output.value;
  for (const key of node.path ?? []) {
    if (Array.isArray(value)) value = value[Number(key)];
    else value = isJsonObject(value) ? value[String(key)] : undefined;
    if (value === undefined) {
      throw new OutputMissingError(
        consumer,
        node.address,
        `output "${node.output}" has nothing at "${(node.path ?? []).join(".")}"`,
        "look at `xcf show` for what it holds",
      );
    }
  }
  return value as InputValue;
}
