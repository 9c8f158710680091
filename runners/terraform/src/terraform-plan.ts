import { isJsonObject, type JsonObject, type JsonValue } from "@xcloudflow/model/json-value";
import { parseJson } from "@xcloudflow/model/parse-json";
import {
  type ChangeActions,
  changeActionsSchema,
  type ResourceChange,
  type UnitOutput,
} from "@xcloudflow/model/unit-plan";
import type { ValueRedactor } from "@xcloudflow/runner-host/value-redactor";
import { z } from "zod";
import { PlanFormatUnsupportedError } from "./terraform-errors.ts";

/** What a plan's JSON says, in the model's words. */
export interface PlanReading {
  readonly changes: ResourceChange[];
  readonly noops: number;
  readonly drift: ResourceChange[];
  readonly outputs: Record<string, UnitOutput>;
  readonly hazards: string[];
  readonly errored: boolean;
}

/** How addresses and values of a wrapped plan become those of the unit itself. */
export interface PlanView {
  /** Undefined: the resource is not the unit's. */
  readonly address: (address: string) => string | undefined;
  /** Applied to every text among the values. */
  readonly text: ((text: string) => string) | undefined;
}

export const DIRECT: PlanView = { address: (address) => address, text: undefined };

const anyJson = z.custom<JsonValue>((value) => value !== undefined);
const changeSchema = z.object({
  actions: changeActionsSchema,
  before: anyJson.default(null),
  after: anyJson.default(null),
  after_unknown: anyJson.default(false),
  before_sensitive: anyJson.default(false),
  after_sensitive: anyJson.default(false),
  replace_paths: z.array(z.array(z.union([z.string(), z.number()]))).default([]),
});
const resourceSchema = z.object({
  address: z.string(),
  previous_address: z.string().optional(),
  mode: z.string().optional(),
  type: z.string(),
  provider_name: z.string().optional(),
  change: changeSchema,
});
const checkSchema = z.object({
  address: z.object({ to_display: z.string() }),
  status: z.string(),
  instances: z.array(z.object({ problems: z.array(z.object({ message: z.string() })).optional() })).optional(),
});
const planSchema = z.object({
  format_version: z.string(),
  resource_changes: z.array(resourceSchema).default([]),
  resource_drift: z.array(resourceSchema).default([]),
  output_changes: z.record(z.string(), changeSchema).default({}),
  planned_values: z
    .object({ outputs: z.record(z.string(), z.object({ type: anyJson.optional() })).optional() })
    .optional(),
  checks: z.array(checkSchema).optional(),
  errored: z.boolean().default(false),
  complete: z.boolean().default(true),
});

/**
 * Reads `terraform show -json PLAN` (Terraform's "JSON Output Format", format_version 1.x). Unknown members are passed
 * over; numbers keep their digits; sensitive values are replaced before anything else sees them.
 *
 * @throws {PlanFormatUnsupportedError} for another major version.
 */
export function readPlan(text: string, redactor: ValueRedactor, view: PlanView = DIRECT): PlanReading {
  const raw = parseJson(text, "terraform's plan");
  const version = isJsonObject(raw) ? raw["format_version"] : undefined;
  if (typeof version !== "string" || !/^1(?:\.|$)/.test(version)) throw new PlanFormatUnsupportedError(String(version));
  const plan = planSchema.parse(raw);

  for (const { change } of [...plan.resource_changes, ...plan.resource_drift]) learn(change, redactor);
  for (const change of Object.values(plan.output_changes)) learn(change, redactor);
  const read = (resources: readonly z.infer<typeof resourceSchema>[]): ResourceChange[] =>
    resources.flatMap((resource) => readResource(resource, redactor, view) ?? []);
  const all = read(plan.resource_changes);
  const changes = all.filter((change) => change.actions[0] !== "no-op" || change.previousAddress !== undefined);
  const types = plan.planned_values?.outputs ?? {};
  const outputs: Record<string, UnitOutput> = {};
  for (const [name, change] of Object.entries(plan.output_changes)) {
    if (change.actions[0] !== "delete" || change.actions.length > 1)
      outputs[name] = readOutput(change, types[name]?.type, redactor, view);
  }
  return {
    changes,
    noops: all.length - changes.length,
    drift: read(plan.resource_drift).filter((change) => change.actions[0] !== "no-op"),
    outputs,
    hazards: [
      ...(plan.complete ? [] : ["the plan is incomplete: terraform put off a part of it until more is known"]),
      ...failedChecks(plan.checks ?? []),
    ],
    errored: plan.errored,
  };
}

function learn(change: z.infer<typeof changeSchema>, redactor: ValueRedactor): void {
  redactor.learn(change.before, change.before_sensitive);
  redactor.learn(change.after, change.after_sensitive);
}

function readResource(
  resource: z.infer<typeof resourceSchema>,
  redactor: ValueRedactor,
  view: PlanView,
): ResourceChange | undefined {
  const address = view.address(resource.address);
  if (address === undefined) return undefined;
  const { change } = resource;
  const previous = resource.previous_address === undefined ? undefined : view.address(resource.previous_address);
  const shown = (value: JsonValue, mask: JsonValue): JsonValue => redactor.redact(mapTexts(value, view.text), mask);
  return {
    address,
    type: resource.type,
    ...(resource.provider_name === undefined ? {} : { provider: resource.provider_name }),
    actions: change.actions satisfies ChangeActions,
    before: shown(change.before, change.before_sensitive),
    after: shown(change.after, change.after_sensitive),
    unknown: withoutFalse(change.after_unknown) ?? {},
    sensitive: withoutFalse(change.after === null ? change.before_sensitive : change.after_sensitive) ?? {},
    replacePaths: change.replace_paths,
    ...(previous === undefined || previous === address ? {} : { previousAddress: previous }),
  };
}

function readOutput(
  change: z.infer<typeof changeSchema>,
  type: JsonValue | undefined,
  redactor: ValueRedactor,
  view: PlanView,
): UnitOutput {
  const typed = type === undefined ? {} : { type };
  const sensitive = marksAny(change.after_sensitive);
  if (marksAny(change.after_unknown)) return { unknown: true, sensitive, ...typed };
  return knownOutput(mapTexts(change.after, view.text), sensitive, type, redactor);
}

/** A known output, with an HMAC in the place of what must not be seen. */
export function knownOutput(
  value: JsonValue,
  sensitive: boolean,
  type: JsonValue | undefined,
  redactor: ValueRedactor,
): UnitOutput {
  const typed = type === undefined ? {} : { type };
  if (sensitive || redactor.holdsSecret(value))
    return { unknown: false, sensitive: true, hmac: redactor.hmac(value), ...typed };
  return { unknown: false, sensitive: false, value, ...typed };
}

function failedChecks(checks: readonly z.infer<typeof checkSchema>[]): string[] {
  return checks
    .filter(({ status }) => status === "fail" || status === "error")
    .map(({ address, instances }) => {
      const messages = (instances ?? []).flatMap(({ problems }) => problems ?? []).map(({ message }) => message);
      return `${address.to_display} does not hold: ${messages.join("; ") || "see the log"}`;
    });
}

export function marksAny(mask: JsonValue): boolean {
  if (mask === true) return true;
  if (Array.isArray(mask)) return mask.some(marksAny);
  return isJsonObject(mask) && Object.values(mask).some(marksAny);
}

/** Masks as the model has them: `true` where marked and absent elsewhere; lists keep their places. */
function withoutFalse(mask: JsonValue): JsonValue | undefined {
  if (Array.isArray(mask))
    return mask.some(marksAny) ? mask.map((item: JsonValue) => withoutFalse(item) ?? false) : undefined;
  if (!isJsonObject(mask)) return mask === true ? true : undefined;
  const members = Object.entries(mask).flatMap(([name, member]) => {
    const kept = withoutFalse(member);
    return kept === undefined ? [] : [[name, kept] as const];
  });
  return members.length === 0 ? undefined : Object.fromEntries(members);
}

function mapTexts(value: JsonValue, map: PlanView["text"]): JsonValue {
  if (map === undefined) return value;
  if (typeof value === "string") return map(value);
  if (Array.isArray(value)) return value.map((item: JsonValue) => mapTexts(item, map));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value satisfies JsonObject).map(([name, member]) => [name, mapTexts(member, map)]),
  );
}
