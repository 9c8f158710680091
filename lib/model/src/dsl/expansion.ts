import { type Address, formatAddress } from "../address.ts";
import type { Edge } from "../compilation.ts";
import { hasExpression } from "../expression.ts";
import { resolveStatic, type StaticScope } from "../expression-resolution.ts";
import { type Inputs, type InputValue, inputNodes } from "../input-value.ts";
import { canonicalLifecycle, type Lifecycle } from "../lifecycle.ts";
import type { RouteLayer } from "../route-layer.ts";
import { bindDependency, bindOutput, type Instance } from "./binding.ts";
import type { Composition, Module } from "./composition.ts";
import { mergeEngineConfigs } from "./engine-config.ts";
import type { Assembly, Environment } from "./environment.ts";
import type { EngineConfig } from "./field.ts";
import { assemblyLayers, compositionLayers, moduleLayers, sharedLayers } from "./layers.ts";
import { LIMITS } from "./limits.ts";
import { reportMissing } from "./missing.ts";
import { moduleNames } from "./module-names.ts";
import { type ModuleRef, parseModuleRef } from "./module-ref.ts";
import { findComposition, type Monorepo } from "./monorepo-index.ts";
import { resolveParameters } from "./parameters.ts";
import type { ParsedDocument } from "./parse.ts";
import { isPlainMap, type PlainMap, type PlainValue, valueAt, withoutNodes } from "./plain-value.ts";
import type { Problem } from "./problem.ts";
import { problemAtValue, problemInside, type Report } from "./report.ts";
import type { Path } from "./source.ts";
import { walkStrings } from "./walk-strings.ts";

/** One unit as the DSL declares it: module × environment × region, with everything static resolved. */
export interface DeclaredUnit extends Instance {
  readonly address: Address;
  readonly module: string;
  readonly lifecycle: Lifecycle;
  readonly ref: ModuleRef;
  /** Outputs, secrets and templates with them as nodes; everything else plain. */
  readonly inputs: Inputs;
  /** Settings of all layers for all engines; take the part of the engine that the Route chooses. */
  readonly engineConfig: EngineConfig;
  /** From the weakest to the strongest, policies left out (`routeQuestion` adds them). */
  readonly layers: readonly RouteLayer[];
  readonly ignoreDrift: readonly string[];
  readonly owner: string | undefined;
  readonly pool: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly source: { readonly composition: ParsedDocument<Composition>; readonly moduleIndex: number };
}

/** An environment's units and the edges between them; `from` may lie in another environment. */
export interface Expansion {
  readonly environment: ParsedDocument<Environment>;
  readonly units: readonly DeclaredUnit[];
  readonly edges: readonly Edge[];
  readonly problems: readonly Problem[];
}

/**
 * Environment × compositions × regions × modules. A faulty composition or module is left out or kept with what is good
 * in it; every fault is a problem.
 */
export function expandEnvironment(monorepo: Monorepo, environment: ParsedDocument<Environment>): Expansion {
  const work = new ExpansionWork(monorepo, environment);
  environment.value.spec.compositions.forEach((assembly, index) => {
    work.assemble(assembly, index);
  });
  return { environment, units: work.units, edges: work.edges, problems: work.problems };
}

class ExpansionWork {
  readonly units: DeclaredUnit[] = [];
  readonly edges: Edge[] = [];
  readonly problems: Problem[] = [];
  readonly #monorepo: Monorepo;
  readonly #environment: ParsedDocument<Environment>;
  readonly #variables: Readonly<Record<string, InputValue>>;
  readonly #seen = new Map<string, number>();
  readonly #shared = new Map<string, readonly RouteLayer[]>();
  #inputCount = 0;
  #isFull = false;
  readonly #sharedConfig: EngineConfig;
  /** Most engine settings have no expressions and are the same for every unit. */
  readonly #isPlainConfig: boolean;

  constructor(monorepo: Monorepo, environment: ParsedDocument<Environment>) {
    this.#monorepo = monorepo;
    this.#environment = environment;
    this.#variables = this.#resolveVariables();
    this.#sharedConfig = mergeEngineConfigs([platformEngineConfig(monorepo), environment.value.spec.engineConfig]);
    this.#isPlainConfig = !hasAnyExpression(this.#sharedConfig);
  }

  assemble(assembly: Assembly, index: number): void {
    const composition = findComposition(this.#monorepo, assembly.ref);
    if (composition === undefined) {
      const path = ["spec", "compositions", index, "ref"];
      reportMissing(this.#monorepo, this.#environment, path, assembly.ref, this.problems);
      return;
    }
    const specific = assemblyLayers(this.#environment, index);
    for (const [position, region] of (assembly.regions ?? [undefined]).entries()) {
      const path = ["spec", "compositions", index, ...(region === undefined ? ["ref"] : ["regions", position])];
      if (!this.#isFirst(composition.value.metadata.name, region, index, path)) continue;
      const parameters = resolveParameters(
        this.#environment,
        index,
        assembly,
        composition,
        this.#scope(region),
        this.problems,
      );
      this.#expandInstance(composition, region, specific, parameters);
    }
  }

  #isFirst(composition: string, region: string | undefined, index: number, path: Path): boolean {
    const key = `${composition}@${region ?? ""}`;
    const taken = this.#seen.get(key) ?? (region === undefined ? undefined : this.#seen.get(`${composition}@`));
    if (taken === undefined) {
      this.#seen.set(key, index);
      return true;
    }
    const place = region === undefined ? "" : ` in region "${region}"`;
    this.problems.push(
      problemAtValue(this.#environment, path, {
        code: "ASSEMBLY_REPEATED",
        message: `the composition "${composition}" is assembled twice${place}`,
        hint: "keep one entry for each region",
      }),
    );
    return false;
  }

  #expandInstance(
    composition: ParsedDocument<Composition>,
    region: string | undefined,
    specific: readonly RouteLayer[],
    parameters: Readonly<Record<string, InputValue>>,
  ): void {
    const { spec } = composition.value;
    const instance: Instance = {
      environment: this.#environment.value.metadata.name,
      composition: composition.value.metadata.name,
      region,
    };
    const names = moduleNames(composition.value);
    const shared = [...this.#sharedLayers(spec), ...specific, ...compositionLayers(composition)];
    const needed = (spec.dependencies ?? []).flatMap(({ ref }) => {
      const target = findComposition(this.#monorepo, ref);
      return target === undefined || target === composition
        ? []
        : bindDependency(this.#monorepo, instance, target.value.metadata.name);
    });
    for (const [moduleIndex, module] of spec.modules.entries()) {
      const name = names[moduleIndex];
      const ref = parseModuleRef(module.ref);
      if (name === undefined || names.indexOf(name) !== moduleIndex || !ref.ok) continue;
      if (!this.#hasRoom(composition, moduleIndex, module, needed.length)) return;
      const scope: StaticScope = {
        ...this.#scope(region),
        parameters,
        secrets: "node",
        bindOutput: (reference) => bindOutput(this.#monorepo, instance, reference),
      };
      const address = formatAddress({ ...instance, module: name });
      const inputs = this.#resolveInputs(composition, moduleIndex, module, scope);
      this.#connect(address, needed, inputs);
      this.units.push({
        ...instance,
        address,
        module: name,
        lifecycle: canonicalLifecycle(spec.lifecycle),
        ref: ref.ref,
        inputs,
        engineConfig: this.#engineConfig(composition, moduleIndex, module, scope),
        layers: [...shared, ...moduleLayers(composition, moduleIndex)],
        ignoreDrift: [...(spec.ignoreDrift ?? []), ...(module.ignoreDrift ?? [])],
        owner: module.owner ?? spec.owner ?? this.#environment.value.spec.owner,
        pool: module.pool ?? spec.pool ?? this.#environment.value.spec.pool,
        labels: composition.value.metadata.labels,
        source: { composition, moduleIndex },
      });
    }
  }

  /** Regions, modules, aliases and dependencies multiply: a small repository could mean more than memory holds. */
  #hasRoom(
    composition: ParsedDocument<Composition>,
    moduleIndex: number,
    module: Module,
    dependencies: number,
  ): boolean {
    if (this.#isFull) return false;
    this.#inputCount += countValues(module.inputs ?? {});
    const what =
      this.units.length >= LIMITS.units
        ? `${LIMITS.units} units`
        : this.edges.length + dependencies > LIMITS.edges
          ? `${LIMITS.edges} dependencies between units`
          : this.#inputCount > LIMITS.inputs
            ? `${LIMITS.inputs} input values`
            : undefined;
    if (what === undefined) return true;
    this.#isFull = true;
    this.problems.push(
      problemAtValue(
        composition,
        ["spec", "modules", moduleIndex],
        this.#within({ code: "LIMIT_EXCEEDED", message: `more than ${what}`, hint: "split the environment" }),
      ),
    );
    return false;
  }

  #connect(address: Address, needed: readonly Address[], inputs: Inputs): void {
    const from = new Set(needed);
    for (const value of Object.values(inputs)) {
      for (const node of inputNodes(value)) if (node.$xcf === "output") from.add(node.address);
    }
    for (const dependency of from) this.edges.push({ from: dependency, to: address });
  }

  #scope(region: string | undefined): StaticScope {
    const { metadata, spec } = this.#environment.value;
    return {
      environment: { name: metadata.name, tier: spec.tier },
      region,
      variables: this.#variables,
      parameters: undefined,
      secrets: "text",
      bindOutput: undefined,
    };
  }

  #resolveVariables(): Readonly<Record<string, InputValue>> {
    const { metadata, spec } = this.#environment.value;
    const scope: StaticScope = {
      environment: { name: metadata.name, tier: spec.tier },
      region: undefined,
      variables: undefined,
      parameters: undefined,
      secrets: "text",
      bindOutput: undefined,
    };
    return this.#resolveMap(this.#environment, ["spec", "variables"], spec.variables ?? {}, scope);
  }

  #resolveInputs(
    composition: ParsedDocument<Composition>,
    moduleIndex: number,
    module: Module,
    scope: StaticScope,
  ): Inputs {
    const path = ["spec", "modules", moduleIndex, "inputs"];
    return this.#resolveMap(composition, path, module.inputs ?? {}, scope, isToldAlready);
  }

  #resolveMap(
    document: ParsedDocument,
    path: Path,
    values: Readonly<Record<string, PlainValue>>,
    scope: StaticScope,
    isTold: (code: string, text: unknown) => boolean = () => false,
  ): Record<string, InputValue> {
    const resolved: Record<string, InputValue> = {};
    for (const [key, value] of Object.entries(values)) {
      const { value: result, faults } = resolveStatic(value, scope);
      for (const fault of faults) {
        const text = valueAt(value, fault.path);
        if (isTold(fault.code, text)) continue;
        this.problems.push(
          problemInside(document, [...path, key, ...fault.path], text, fault.offset, this.#within(fault)),
        );
      }
      resolved[key] = result;
    }
    return resolved;
  }

  #within(fault: Report): Report {
    return {
      code: fault.code,
      message: `${fault.message} (environment "${this.#environment.value.metadata.name}")`,
      hint: fault.hint,
    };
  }

  #engineConfig(
    composition: ParsedDocument<Composition>,
    moduleIndex: number,
    module: Module,
    scope: StaticScope,
  ): EngineConfig {
    const { spec } = composition.value;
    if (spec.engineConfig === undefined && module.engineConfig === undefined && this.#isPlainConfig) {
      return this.#sharedConfig;
    }
    const merged = mergeEngineConfigs([this.#sharedConfig, spec.engineConfig, module.engineConfig]);
    const { value, faults } = resolveStatic(merged, { ...scope, secrets: "refuse", bindOutput: undefined });
    for (const fault of faults) {
      this.problems.push(
        problemAtValue(
          composition,
          ["spec", "modules", moduleIndex],
          this.#within({ ...fault, message: `engineConfig: ${fault.message}` }),
        ),
      );
    }
    const resolved = withoutNodes(value);
    return isPlainMap(resolved) ? onlyMaps(resolved) : {};
  }

  #sharedLayers(spec: Composition["spec"]): readonly RouteLayer[] {
    const lifecycle = canonicalLifecycle(spec.lifecycle);
    const key = `${lifecycle} ${spec.changeFrequency ?? ""}`;
    let layers = this.#shared.get(key);
    if (layers === undefined) {
      layers = sharedLayers(this.#monorepo.platform, this.#environment, lifecycle, spec.changeFrequency);
      this.#shared.set(key, layers);
    }
    return layers;
  }
}

/** Faults of an input that are there in every environment: `checkComposition` tells them, once. */
const TOLD_BEFORE: ReadonlySet<string> = new Set([
  "EXPRESSION_SYNTAX",
  "EXPRESSION_UNKNOWN",
  "PARAMETER_UNDEFINED",
  "COMPOSITION_MISSING",
  "MODULE_MISSING",
]);

function isToldAlready(code: string, text: unknown): boolean {
  if (code === "SECRET_SYNTAX") return typeof text === "string" && !text.includes("${");
  return TOLD_BEFORE.has(code);
}

const counts = new WeakMap<object, number>();

/** Values of a tree, aliased ones as often as they are used. */
function countValues(value: PlainValue): number {
  if (typeof value !== "object" || value === null) return 1;
  let count = counts.get(value);
  if (count === undefined) {
    count = 1;
    for (const member of Object.values<PlainValue>(value)) count += countValues(member);
    counts.set(value, count);
  }
  return count;
}

function hasAnyExpression(config: EngineConfig): boolean {
  let found = false;
  walkStrings(config, [], (text) => {
    found ||= hasExpression(text);
  });
  return found;
}

function onlyMaps(config: PlainMap): EngineConfig {
  return Object.fromEntries(
    Object.entries(config).filter((entry): entry is [string, PlainMap] => isPlainMap(entry[1])),
  );
}

function platformEngineConfig(monorepo: Monorepo): EngineConfig {
  const engines = Object.entries(monorepo.platform?.value.spec.engines ?? {});
  return Object.fromEntries(
    engines.flatMap(([engine, { config }]) => (config === undefined ? [] : [[engine, config]])),
  );
}
