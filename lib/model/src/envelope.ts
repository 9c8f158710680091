import { canonicalJson } from "./canonical-json.ts";
import type { Finding, PolicyVerdict } from "./change-set.ts";
import { compareDecimals, parseDecimal } from "./decimal.ts";
import { valueViolations } from "./envelope-values.ts";
import { type Inputs, type InputValue, inputNodes } from "./input-value.ts";
import type { ChangeActions, ResourceChange, UnitPlan } from "./unit-plan.ts";

export type EnvelopeRule =
  | "unit"
  | "status"
  | "engine"
  | "locks"
  | "resource"
  | "action"
  | "before"
  | "value"
  | "output"
  | "input"
  | "policy"
  | "warning"
  | "hazard"
  | "cost"
  | "sensitivePath";

/** Where a real plan leaves what was approved. `resource` and `path` are empty for the unit as a whole. */
export interface EnvelopeViolation {
  readonly resource: string;
  /** Dot separated, inside the resource's values. */
  readonly path: string;
  readonly rule: EnvelopeRule;
  readonly message: string;
}

export type EnvelopeVerdict =
  | { readonly within: true }
  | { readonly within: false; readonly violations: readonly EnvelopeViolation[] };

/** A path that policy marks security-sensitive: nobody can approve it without having seen its value. */
export interface SensitivePath {
  /** Resource address, or `*` for every resource of the unit. */
  readonly resource: string;
  /** Inside `after`, dot separated; `*` stands for any one part. */
  readonly path: string;
}

/** What is known besides the two plans. */
export interface EnvelopeContext {
  /** Policy's verdict on the real plan. */
  readonly policy: Pick<PolicyVerdict, "verdict" | "denials" | "warnings">;
  /** Warnings about this unit that the approvers saw. */
  readonly approvedWarnings: readonly Finding[];
  readonly sensitivePaths: readonly SensitivePath[];
  /** Why people would be asked about the real plan, where nobody was asked that about the approved one. */
  readonly newDemands?: readonly string[];
}

/**
 * Whether a unit's real plan stays inside the provisional plan that was approved: its resources are a subset, each
 * action is equal or milder (replace → update → none, create → none, delete → none), every value that was not marked
 * unknown is byte-equal, policy allows it without a new warning or demand, there is no new hazard and no higher cost, and no
 * sensitive path was unknown when people approved. Anything else needs an approval of its own.
 */
export function checkEnvelope(approved: UnitPlan, real: UnitPlan, context: EnvelopeContext): EnvelopeVerdict {
  return verdictOf([
    ...unitViolations(approved, real),
    ...resourceViolations(approved, real, context.sensitivePaths),
    ...outputViolations(approved, real),
    ...judgementViolations(approved, real, context),
    ...costViolations(approved, real),
  ]);
}

/**
 * Whether the inputs that a saved plan was made with are still the inputs its unit would get now. A saved plan has
 * its inputs frozen in it, so any difference makes it a plan of something else.
 */
export function checkSavedPlanInputs(planned: Inputs, current: Inputs): EnvelopeVerdict {
  const violations: EnvelopeViolation[] = [];
  for (const name of new Set([...Object.keys(planned), ...Object.keys(current)])) {
    const before = own(planned, name);
    const now = own(current, name);
    if (isOpen(before) || isOpen(now)) {
      violations.push(violation("input", "", name, "was not known, so the plan that was saved cannot be applied"));
    } else if (!sameJson(before, now)) {
      violations.push(violation("input", "", name, "has another value now than when the plan was saved"));
    }
  }
  return verdictOf(violations);
}

/** References that nobody has replaced by a value, and unknowns: neither may be in the inputs of a plan that is applied. */
function isOpen(value: InputValue | undefined): boolean {
  if (value === undefined) return false;
  for (const node of inputNodes(value)) if (node.$xcf === "unknown" || node.$xcf === "output") return true;
  return false;
}

function unitViolations(approved: UnitPlan, real: UnitPlan): EnvelopeViolation[] {
  const violations: EnvelopeViolation[] = [];
  if (approved.address !== real.address) {
    violations.push(violation("unit", "", "", `${real.address} is planned where ${approved.address} was approved`));
  }
  if (approved.destroy !== real.destroy) {
    violations.push(
      violation(
        "unit",
        "",
        "",
        real.destroy ? "the unit would be destroyed" : "the unit would not be destroyed any more",
      ),
    );
  }
  if (approved.status !== "provisional" && approved.status !== "planned" && approved.status !== "unchanged") {
    violations.push(
      violation("status", "", "", `the approved plan was ${approved.status}, so nobody has seen what would be done`),
    );
  }
  if (real.status !== "planned" && real.status !== "unchanged") {
    violations.push(violation("status", "", "", `a ${real.status} plan cannot be applied`));
  }
  if (approved.engine !== real.engine || approved.engineVersion !== real.engineVersion) {
    const [was, is] = [`${approved.engine} ${approved.engineVersion}`, `${real.engine} ${real.engineVersion}`];
    violations.push(violation("engine", "", "", `planned by ${is}, approved with ${was}`));
  }
  for (const name of new Set([...Object.keys(approved.locks), ...Object.keys(real.locks)])) {
    if (own(approved.locks, name) !== own(real.locks, name)) {
      violations.push(violation("locks", "", name, "the lock differs from the one the approved plan was made under"));
    }
  }
  return violations;
}

function resourceViolations(
  approved: UnitPlan,
  real: UnitPlan,
  sensitivePaths: readonly SensitivePath[],
): EnvelopeViolation[] {
  const approvedChanges = new Map(approved.changes.map((change) => [change.address, change]));
  const violations: EnvelopeViolation[] = [];
  const seen = new Set<string>();
  for (const change of real.changes) {
    if (seen.has(change.address)) {
      violations.push(violation("resource", change.address, "", "is listed twice in the real plan"));
    }
    seen.add(change.address);
    const was = approvedChanges.get(change.address);
    if (was === undefined || was.type !== change.type || was.provider !== change.provider) {
      // A resource to which nothing happens is no change; engines differ in whether they list it.
      if (actionOf(change.actions) === "no-op" && change.previousAddress === undefined) continue;
      violations.push(
        violation("resource", change.address, "", `the approved plan did not ${verb(change.actions)} this resource`),
      );
      continue;
    }
    violations.push(...changeViolations(was, change, sensitivePaths));
  }
  return violations;
}

function changeViolations(
  was: ResourceChange,
  change: ResourceChange,
  sensitivePaths: readonly SensitivePath[],
): EnvelopeViolation[] {
  const resource = change.address;
  if (!isMilderOrEqual(was.actions, change.actions)) {
    return [
      violation("action", resource, "", `would ${verb(change.actions)} it, approved was to ${verb(was.actions)} it`),
    ];
  }
  const violations: EnvelopeViolation[] = [];
  if (change.previousAddress !== undefined && was.previousAddress !== change.previousAddress) {
    violations.push(violation("resource", resource, "", `would be moved from ${change.previousAddress}`));
  }
  if (actionOf(change.actions) === "no-op") return violations;
  if (!sameJson(was.before, change.before)) {
    violations.push(violation("before", resource, "", "has changed since the approved plan looked at it"));
  }
  const patterns = sensitivePaths
    .filter((path) => path.resource === "*" || path.resource === resource)
    .map(({ path }) => path);
  for (const { path, rule, message } of valueViolations(was, change, patterns))
    violations.push({ resource, path, rule, message });
  return violations;
}

function outputViolations(approved: UnitPlan, real: UnitPlan): EnvelopeViolation[] {
  const violations: EnvelopeViolation[] = [];
  for (const [name, output] of Object.entries(real.outputs)) {
    const was = own(approved.outputs, name);
    const path = `output.${name}`;
    if (was === undefined) violations.push(violation("output", "", path, "the approved plan had no such output"));
    else if (was.sensitive && !output.sensitive)
      violations.push(violation("output", "", path, "is not sensitive any more"));
    else if (!was.unknown && !sameJson({ ...was, type: null }, { ...output, type: null })) {
      violations.push(violation("output", "", path, "differs from the approved value"));
    }
  }
  return violations;
}

function judgementViolations(approved: UnitPlan, real: UnitPlan, context: EnvelopeContext): EnvelopeViolation[] {
  const { policy } = context;
  const violations = policy.denials.map((finding) =>
    violation("policy", "", "", `policy denies it: ${finding.message}`),
  );
  if (policy.verdict !== "allow" && violations.length === 0)
    violations.push(violation("policy", "", "", "policy does not allow it"));
  violations.push(...(context.newDemands ?? []).map((reason) => violation("policy", "", "", reason)));
  const known = new Set(context.approvedWarnings.map(findingKey));
  for (const warning of policy.warnings) {
    if (!known.has(findingKey(warning)))
      violations.push(violation("warning", "", "", `policy warns anew: ${warning.message}`));
  }
  const hazards = new Set(approved.hazards);
  for (const hazard of real.hazards) {
    if (!hazards.has(hazard)) violations.push(violation("hazard", "", "", `a new hazard: ${hazard}`));
  }
  return violations;
}

function findingKey({ namespace, rule, message }: Finding): string {
  return canonicalJson([namespace, rule, message]);
}

function costViolations(approved: UnitPlan, real: UnitPlan): EnvelopeViolation[] {
  if (real.cost === undefined) return [];
  const now = parseDecimal(real.cost.monthlyDelta);
  const was = approved.cost === undefined ? { units: 0n, scale: 0 } : parseDecimal(approved.cost.monthlyDelta);
  const sameCurrency = approved.cost === undefined || approved.cost.currency === real.cost.currency;
  if (now !== undefined && was !== undefined && sameCurrency && compareDecimals(now, was) <= 0) return [];
  const approvedText = approved.cost === undefined ? "none" : `${approved.cost.monthlyDelta} ${approved.cost.currency}`;
  const message = `would cost ${real.cost.monthlyDelta} ${real.cost.currency} more a month, approved was ${approvedText}`;
  return [violation("cost", "", "", message)];
}

const MILDER: Readonly<Record<string, readonly string[]>> = {
  "delete,create": ["delete,create", "update", "no-op"],
  "create,delete": ["create,delete", "update", "no-op"],
  update: ["update", "no-op"],
  create: ["create", "no-op"],
  delete: ["delete", "no-op"],
  forget: ["forget", "no-op"],
  read: ["read", "no-op"],
  "no-op": ["no-op"],
};

/** Whether `real` is `approved` or does less: replace → update → none; create, delete, forget, read → none. */
export function isMilderOrEqual(approved: ChangeActions, real: ChangeActions): boolean {
  return MILDER[actionOf(approved)]?.includes(actionOf(real)) ?? false;
}

function actionOf(actions: ChangeActions): string {
  return actions.join(",");
}

function verb(actions: ChangeActions): string {
  if (actions.length === 2) return actions[0] === "delete" ? "replace" : "replace (create first)";
  return actions[0] === "no-op" ? "leave alone" : actions[0];
}

function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

function sameJson(a: unknown, b: unknown): boolean {
  return canonicalJson(a ?? null) === canonicalJson(b ?? null) && (a === undefined) === (b === undefined);
}

function violation(rule: EnvelopeRule, resource: string, path: string, message: string): EnvelopeViolation {
  return { resource, path, rule, message };
}

function verdictOf(violations: readonly EnvelopeViolation[]): EnvelopeVerdict {
  return violations.length === 0 ? { within: true } : { within: false, violations };
}
