import { CodedError } from "@xcloudflow/model/coded-error";
import {
  type InputNode,
  type InputValue,
  inputNodes,
  isInputNode,
  replaceNodes,
  type SensitiveNode,
} from "@xcloudflow/model/input-value";
import { isJsonObject, type JsonValue } from "@xcloudflow/model/json-value";
import { parseJson } from "@xcloudflow/model/parse-json";
import { SecretText } from "@xcloudflow/model/secret-text";
import type { TaskSpec } from "@xcloudflow/model/task-spec";
import type { ResolvedInput, ResolvedReferences } from "./attempt.ts";
import type { SecretRedactor } from "./secret-redactor.ts";
import type { WorkerClients } from "./worker-clients.ts";

/** Thrown when an input refers to what cannot be had: a path a value does not have, or a reference nobody resolved. */
export class InputUnresolvableError extends CodedError {
  constructor(unit: string, what: string) {
    super("UNIT_INPUT_UNRESOLVABLE", "invalid", { where: unit, what, hint: "check the reference in the composition" });
  }
}

/**
 * Opens every reference of a task: `secret://` through the secrets service, which answers one request, and sensitive
 * outputs through the state service. Each value is made known to the redactor before anything can print it.
 *
 * @param requestKey random, the same when the same is asked again because no answer came.
 */
export async function resolveReferences(
  spec: TaskSpec,
  attemptToken: string,
  { secrets, state }: Pick<WorkerClients, "secrets" | "state">,
  redactor: SecretRedactor,
  signal: AbortSignal,
  requestKey: string,
): Promise<ResolvedReferences> {
  const nodes = Object.values(spec.inputs).flatMap((value) => [...inputNodes(value)]);
  const references = [
    ...new Set([
      ...Object.values(spec.credentials),
      ...nodes.flatMap((node) => (node.$xcf === "secret" ? [node.ref] : [])),
    ]),
  ];
  const outputs = new Map(
    nodes.flatMap((node) => (node.$xcf === "sensitive" ? [[outputKey(node), node] as const] : [])),
  );
  const [secretValues, outputValues] = await Promise.all([
    references.length === 0
      ? []
      : secrets.resolve({ attemptToken, references, requestKey }, { signal }).then(({ values }) => values),
    outputs.size === 0
      ? []
      : state
          .resolveOutputs(
            {
              attemptToken,
              references: [...outputs.values()].map(({ address, output }) => ({ unit: address, output })),
            },
            { signal },
          )
          .then(({ values }) => values),
  ]);

  const decoder = new TextDecoder();
  const secretOf = new Map<string, SecretText>();
  references.forEach((reference, index) => {
    const bytes = secretValues[index];
    if (bytes === undefined) throw new InputUnresolvableError(spec.address, `${reference} was not answered`);
    const secret = new SecretText(decoder.decode(bytes));
    redactor.add(secret);
    secretOf.set(reference, secret);
  });
  const outputOf = new Map<string, JsonValue>();
  [...outputs.keys()].forEach((key, index) => {
    const bytes = outputValues[index];
    if (bytes === undefined) throw new InputUnresolvableError(spec.address, `the output ${key} was not answered`);
    const value = parseJson(decoder.decode(bytes), key);
    for (const text of textsIn(value)) redactor.add(new SecretText(text));
    outputOf.set(key, value);
  });

  const open = (node: Exclude<InputNode, { $xcf: "template" }>): InputValue => {
    if (node.$xcf === "secret") return secretOf.get(node.ref)?.reveal() ?? "";
    if (node.$xcf === "sensitive") return descend(spec.address, outputOf.get(outputKey(node)), node);
    if (node.$xcf === "unknown") return node;
    throw new InputUnresolvableError(
      spec.address,
      `the output ${node.output} of ${node.address} was not resolved before the task was made`,
    );
  };
  const inputs = new Map<string, ResolvedInput>();
  for (const [name, value] of Object.entries(spec.inputs)) inputs.set(name, resolveInput(value, open));
  const credentials = new Map<string, SecretText>();
  for (const [name, reference] of Object.entries(spec.credentials))
    credentials.set(name, secretOf.get(reference) ?? new SecretText(""));
  return { inputs, credentials };
}

type Open = (node: Exclude<InputNode, { $xcf: "template" }>) => InputValue;

function resolveInput(value: InputValue, open: Open): ResolvedInput {
  const nodes = [...inputNodes(value)];
  const secret = nodes.some((node) => node.$xcf === "secret" || node.$xcf === "sensitive");
  const unknown = nodes.find((node) => node.$xcf === "unknown");
  if (unknown === undefined) {
    const opened = replaceNodes(value, open);
    return secret
      ? { kind: "secret", json: new SecretText(JSON.stringify(opened)) }
      : { kind: "plain", value: toJson(opened) };
  }
  const sensitive = secret || nodes.some((node) => node.$xcf === "unknown" && node.sensitive);
  // A tree with both secrets and unknowns is shown as wholly unknown: the tree is written down, a secret must not be.
  return { kind: "unknown", tree: secret ? unknown : value, sensitive };
}

/** A tree without nodes is JSON; the walk proves it. */
function toJson(value: InputValue): JsonValue {
  if (isInputNode(value)) throw new TypeError("a reference was left unresolved");
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== "object" || value === null) return value;
  if (JSON.isRawJSON(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, toJson(member)]));
}

function descend(unit: string, value: JsonValue | undefined, node: SensitiveNode): InputValue {
  let found: JsonValue | undefined = value;
  for (const part of node.path ?? []) {
    found = Array.isArray(found) ? found[Number(part)] : isJsonObject(found) ? found[String(part)] : undefined;
  }
  if (found === undefined)
    throw new InputUnresolvableError(
      unit,
      `the output ${node.output} of ${node.address} has no ${(node.path ?? []).join(".")}`,
    );
  return found as InputValue;
}

function outputKey({ address, output }: Pick<SensitiveNode, "address" | "output">): string {
  return `${address} ${output}`;
}

/** Smaller ones (ports, counts) stand everywhere: taking them out of logs would hide nothing and spoil everything. */
const SMALLEST_TELLING_NUMBER = 100_000;

function* textsIn(value: JsonValue): Generator<string> {
  if (typeof value === "string") yield value;
  else if (typeof value === "number" && Math.abs(value) >= SMALLEST_TELLING_NUMBER) yield String(value);
  else if (Array.isArray(value)) for (const item of value) yield* textsIn(item);
  else if (isJsonObject(value)) for (const member of Object.values(value)) yield* textsIn(member);
}
