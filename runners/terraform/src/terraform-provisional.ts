import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { type InputValue, isInputNode } from "@xcloudflow/model/input-value";
import { isJsonObject, type JsonObject, type JsonValue } from "@xcloudflow/model/json-value";
import type { ResolvedInput } from "@xcloudflow/runner-host/attempt";
import { configFiles, type TerraformConfig } from "./terraform-config.ts";
import type { Diagnostic } from "./terraform-diagnostics.ts";
import type { PlanView } from "./terraform-plan.ts";
import type { TerraformState } from "./terraform-state.ts";
import type { TerraformUnit } from "./terraform-unit.ts";

/**
 * Plans with inputs that exist only later. A generated root calls the unit's module as a child and feeds each unknown
 * input from the output of a `terraform_data` that is yet to be created: a real unknown of no particular type. It is
 * planned against a throwaway local copy of the state, in which every address was moved below the child; the prefix is
 * taken off the result. Nothing here can be applied, and the real state is only read.
 */
const CHILD = "xcf_unit";
const UNKNOWN = "xcf_unknown";
const PREFIX = `module.${CHILD}`;
export const WRAPPER_STATE = "xcf.tfstate";

/** Why a unit cannot be called as a child at all; undefined when it can. */
export function wrapperObstacle(config: TerraformConfig): string | undefined {
  const [block] = config.rootOnly;
  return block === undefined
    ? undefined
    : `the module has ${block} blocks, which terraform allows in a root module only`;
}

/** Writes the generated root into `folder`. Files of the module stay reachable by `path.root` through links. */
export function writeWrapper(folder: string, unit: TerraformUnit, state: TerraformState): void {
  mkdirSync(folder, { mode: 0o700 });
  const names = readdirSync(unit.folder);
  const own = new Set(configFiles(names, unit.binary.product));
  for (const name of names) {
    if (!own.has(name) && name !== ".terraform" && !name.endsWith(".tfvars") && !name.endsWith(".tfvars.json"))
      symlinkSync(join(unit.folder, name), join(folder, name));
  }
  const root = wrapperRoot(
    unit.config,
    unit.references.inputs,
    unit.fileVariables,
    modulePathFrom(folder, unit.folder),
  );
  writeFileSync(join(folder, "main.tf.json"), JSON.stringify(root), { mode: 0o600 });
  if (state.serial > 0)
    writeFileSync(join(folder, WRAPPER_STATE), JSON.stringify(wrapState(state.document, unit.config)), { mode: 0o600 });
}

function modulePathFrom(folder: string, module: string): string {
  return relative(folder, module);
}

/** The generated root in terraform's JSON syntax. */
export function wrapperRoot(
  config: TerraformConfig,
  inputs: ReadonlyMap<string, ResolvedInput>,
  fileVariables: ReadonlySet<string>,
  source: string,
): JsonObject {
  const variables: Record<string, JsonValue> = {};
  const calls: Record<string, JsonValue> = {};
  for (const name of config.variables.keys()) {
    const input = inputs.get(name);
    if (input?.kind === "unknown") {
      calls[name] = input.sensitive ? wholeUnknown(true) : expressionOf(input.tree);
    } else if (input !== undefined || fileVariables.has(name)) {
      variables[name] = input?.kind === "secret" ? { sensitive: true } : {};
      calls[name] = `\${var.${name}}`;
    }
  }
  const outputs = [...config.outputs].map(
    ([name, { sensitive }]) => [name, { value: `\${${PREFIX}.${name}}`, ...(sensitive ? { sensitive } : {}) }] as const,
  );
  return {
    resource: { terraform_data: { [UNKNOWN]: { input: "null" } } },
    ...(Object.keys(variables).length === 0 ? {} : { variable: variables }),
    module: { [CHILD]: { source, ...calls } },
    ...(outputs.length === 0 ? {} : { output: Object.fromEntries(outputs) }),
  };
}

function wholeUnknown(sensitive: boolean): string {
  const unknown = `jsondecode(terraform_data.${UNKNOWN}.output)`;
  return `\${${sensitive ? `sensitive(${unknown})` : unknown}}`;
}

/** A tree as HCL's JSON syntax has it: known texts escaped, unknown nodes as templates. */
function expressionOf(value: InputValue): JsonValue {
  if (isInputNode(value)) {
    if (value.$xcf === "template") return value.parts.map((part) => textOf(part)).join("");
    return wholeUnknown(false);
  }
  if (typeof value === "string") return escapeTemplate(value);
  if (Array.isArray(value)) return value.map((item: InputValue) => expressionOf(item));
  if (typeof value !== "object" || value === null || JSON.isRawJSON(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [escapeTemplate(key), expressionOf(member)]));
}

function textOf(part: InputValue): string {
  const expression = expressionOf(part);
  return typeof expression === "string" ? expression : JSON.stringify(expression);
}

function escapeTemplate(text: string): string {
  return text.replaceAll("${", () => "$${").replaceAll("%{", () => "%%{");
}

/**
 * The state with every address below the child. Provider configurations that the module declares itself move with it;
 * others stay, since a child inherits them from the root.
 */
export function wrapState(state: JsonObject, config: TerraformConfig): JsonObject {
  const { resources } = state;
  const list = Array.isArray(resources) ? resources : [];
  return {
    ...state,
    check_results: null,
    resources: list.map((resource: JsonValue) => (isJsonObject(resource) ? wrapResource(resource, config) : resource)),
  };
}

function wrapResource(resource: JsonObject, config: TerraformConfig): JsonObject {
  const { module, provider, instances } = resource;
  return {
    ...resource,
    module: typeof module === "string" ? `${PREFIX}.${module}` : PREFIX,
    ...(typeof provider === "string" ? { provider: wrapProvider(provider, config) } : {}),
    ...(Array.isArray(instances)
      ? {
          instances: instances.map((instance: JsonValue) =>
            isJsonObject(instance) ? wrapInstance(instance) : instance,
          ),
        }
      : {}),
  };
}

/** `provider["registry.terraform.io/hashicorp/aws"].alias`, below `module.x.` when declared there. */
function wrapProvider(provider: string, { providerBlocks }: TerraformConfig): string {
  if (provider.startsWith("module.")) return `${PREFIX}.${provider}`;
  const [, type = "", alias] = /^provider\["(?:[^"]*\/)?([^"/]+)"\](?:\.(.+))?$/.exec(provider) ?? [];
  const declared = providerBlocks.has(alias === undefined ? type : `${type}.${alias}`);
  return declared || alias !== undefined ? `${PREFIX}.${provider}` : provider;
}

function wrapInstance(instance: JsonObject): JsonObject {
  const { dependencies } = instance;
  if (!Array.isArray(dependencies)) return instance;
  return {
    ...instance,
    dependencies: dependencies.map((address: JsonValue) =>
      typeof address === "string" ? `${PREFIX}.${address}` : address,
    ),
  };
}

export function wrapAddress(address: string): string {
  return `${PREFIX}.${address}`;
}

/** Takes the wrapper's traces out of addresses and of texts made from `path.module`. */
export function unwrapView(folder: string, module: string): PlanView {
  const source = modulePathFrom(folder, module);
  return {
    address: (address) => {
      if (!address.startsWith(`${PREFIX}.`) && !address.startsWith(`${PREFIX}[`)) return undefined;
      return address.slice(PREFIX.length + 1);
    },
    text: (text) => (text.includes(source) ? text.replaceAll(source, ".") : text),
  };
}

/** Locks of remote modules under the names they have without the wrapper. */
export function unwrapLocks(locks: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(locks).map(([name, digest]) => [name.replace(`${PREFIX}.`, "module."), digest]),
  );
}

const UNKNOWN_WORDS =
  /known only after apply|cannot be determined until apply|will be known only|not (?:yet )?known|unknown value|values? that (?:are|is) not known|derived from .* (?:unknown|cannot be determined)/i;
const CHILD_WORDS =
  /only allowed in (?:the )?root module|root module only|legacy module|Module is incompatible with count/i;

/**
 * Whether terraform refused because of what this way of planning is, and not because the module is wrong: the unit is
 * then deferred until its inputs are known. Answers the reason for people.
 */
export function deferralReason(diagnostics: readonly Diagnostic[]): string | undefined {
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  if (errors.length === 0) return undefined;
  const due = errors.every(
    ({ summary, detail }) => UNKNOWN_WORDS.test(`${summary}\n${detail}`) || CHILD_WORDS.test(`${summary}\n${detail}`),
  );
  const [first] = errors;
  if (!due || first === undefined) return undefined;
  const place = first.range === undefined ? "" : ` (line ${first.range.start.line})`;
  return `${first.summary}${place}: ${first.detail.split("\n\n")[0]?.replaceAll(/\s*\n\s*/g, " ") ?? ""}`;
}
