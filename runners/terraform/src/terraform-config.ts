import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isJsonObject, type JsonObject, type JsonValue } from "@xcloudflow/model/json-value";
import { parseJson } from "@xcloudflow/model/parse-json";
import { type HclBlock, literalString, scanHcl } from "./hcl-scan.ts";

/** What a module declares, as far as it must be known before terraform runs. */
export interface TerraformConfig {
  readonly variables: ReadonlyMap<string, VariableDeclaration>;
  readonly outputs: ReadonlyMap<string, OutputDeclaration>;
  /** `s3`, `cloud` …; the last one in the order in which terraform reads files. */
  readonly backend: string | undefined;
  readonly modules: ReadonlyMap<string, ModuleCall>;
  /** Local names of providers that have a `provider` block of their own, with `.alias` where they have one. */
  readonly providerBlocks: ReadonlySet<string>;
  readonly requiredVersions: readonly string[];
  /** Block types that may stand in a root module only. */
  readonly rootOnly: ReadonlySet<string>;
  /** Everything that decides what `terraform init` installs, as one text per fact. */
  readonly installFacts: readonly string[];
  /** The last override file, in reading order. */
  readonly lastOverride: string | undefined;
}

export interface VariableDeclaration {
  readonly required: boolean;
  readonly ephemeral: boolean;
}

export interface OutputDeclaration {
  readonly sensitive: boolean;
}

export interface ModuleCall {
  readonly source: string | undefined;
  readonly version: string | undefined;
}

export type TerraformProduct = "terraform" | "opentofu";

interface Draft {
  readonly variables: Map<string, VariableDeclaration>;
  readonly outputs: Map<string, OutputDeclaration>;
  backend: string | undefined;
  readonly modules: Map<string, ModuleCall>;
  readonly providerBlocks: Set<string>;
  readonly requiredVersions: string[];
  readonly rootOnly: Set<string>;
  readonly installFacts: Set<string>;
}

/**
 * Reads the module in `folder`. Files that cannot be understood are passed over: terraform reads them next, and its own
 * message is better than one made here.
 */
export function readTerraformConfig(folder: string, product: TerraformProduct): TerraformConfig {
  const draft: Draft = {
    variables: new Map(),
    outputs: new Map(),
    backend: undefined,
    modules: new Map(),
    providerBlocks: new Set(),
    requiredVersions: [],
    rootOnly: new Set(),
    installFacts: new Set(),
  };
  const files = configFiles(readdirSync(folder), product);
  for (const file of files) {
    const text = readFileSync(join(folder, file), "utf8");
    for (const block of file.endsWith(".json") ? jsonBlocks(text, file) : scanHcl(text).blocks) addBlock(draft, block);
  }
  return { ...draft, installFacts: [...draft.installFacts].sort(), lastOverride: files.filter(isOverride).at(-1) };
}

/** In terraform's reading order: ordinary files by name, then override files by name. */
export function configFiles(entries: readonly string[], product: TerraformProduct): string[] {
  const extensions = product === "opentofu" ? [".tofu", ".tofu.json", ".tf", ".tf.json"] : [".tf", ".tf.json"];
  const present = new Set(entries);
  const files = entries.filter((name) => {
    if (name.startsWith(".") || name.endsWith("~") || (name.startsWith("#") && name.endsWith("#"))) return false;
    if (!extensions.some((extension) => name.endsWith(extension))) return false;
    // OpenTofu reads main.tofu in place of main.tf.
    return (
      product !== "opentofu" ||
      !/\.tf(?:\.json)?$/.test(name) ||
      !present.has(name.replace(/\.tf(\.json)?$/, ".tofu$1"))
    );
  });
  const byName = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  return [...files.filter((name) => !isOverride(name)).sort(byName), ...files.filter(isOverride).sort(byName)];
}

function isOverride(name: string): boolean {
  const base = name.replace(/\.(?:tf|tofu)(?:\.json)?$/, "");
  return base === "override" || base.endsWith("_override");
}

type ConfigBlock = Pick<HclBlock, "type" | "labels" | "body" | "text">;

function addBlock(draft: Draft, block: ConfigBlock): void {
  const { type, labels, body } = block;
  const [first = "", second = ""] = labels;
  switch (type) {
    case "variable": {
      const before = draft.variables.get(first);
      draft.variables.set(first, {
        required: (before?.required ?? true) && !body.attributes.has("default"),
        ephemeral: (before?.ephemeral ?? false) || body.attributes.get("ephemeral") === "true",
      });
      return;
    }
    case "output":
      draft.outputs.set(first, {
        sensitive: (draft.outputs.get(first)?.sensitive ?? false) || body.attributes.get("sensitive") === "true",
      });
      return;
    case "terraform":
      addTerraformBlock(draft, block);
      return;
    case "module": {
      const before = draft.modules.get(first);
      const source = literalString(body.attributes.get("source")) ?? before?.source;
      const version = literalString(body.attributes.get("version")) ?? before?.version;
      draft.modules.set(first, { source, version });
      draft.installFacts.add(
        `module ${first} ${body.attributes.get("source") ?? ""} ${body.attributes.get("version") ?? ""}`,
      );
      return;
    }
    case "provider": {
      const alias = literalString(body.attributes.get("alias"));
      draft.providerBlocks.add(alias === undefined ? first : `${first}.${alias}`);
      draft.installFacts.add(`provider ${first} ${alias ?? ""} ${body.attributes.get("version") ?? ""}`);
      return;
    }
    case "resource":
    case "data":
    case "ephemeral":
      draft.installFacts.add(`uses ${body.attributes.get("provider") ?? first.split("_", 1)[0] ?? ""}`);
      for (const [, name] of block.text.matchAll(/\bprovider::([\w-]+)::/g)) draft.installFacts.add(`uses ${name}`);
      return;
    case "import":
      draft.rootOnly.add("import");
      draft.installFacts.add(`uses ${body.attributes.get("provider") ?? ""}`);
      return;
    default:
      // Locals, checks and the like may call functions of providers.
      for (const [, name] of block.text.matchAll(/\bprovider::([\w-]+)::/g)) draft.installFacts.add(`uses ${name}`);
      if (type === "check") for (const inner of body.blocks) addBlock(draft, inner);
      if (second !== "" && type === "removed") draft.installFacts.add(`removed ${second}`);
  }
}

function addTerraformBlock(draft: Draft, { body, text }: ConfigBlock): void {
  const version = literalString(body.attributes.get("required_version"));
  if (version !== undefined) draft.requiredVersions.push(version);
  for (const block of body.blocks) {
    if (block.type === "backend") draft.backend = block.labels[0];
    if (block.type === "cloud") draft.backend = "cloud";
  }
  // Whole: requirements, backends and experiments all decide what init does.
  draft.installFacts.add(`terraform ${text}`);
}

/** Blocks of HCL's JSON syntax: `{"variable": {"name": {…}}}`, where a body may be a list of bodies. */
function jsonBlocks(text: string, file: string): ConfigBlock[] {
  let root: JsonValue;
  try {
    root = parseJson(text, file);
  } catch {
    return []; // terraform says what is wrong with it.
  }
  const labelled: Readonly<Record<string, number>> = {
    variable: 1,
    output: 1,
    module: 1,
    provider: 1,
    resource: 2,
    data: 2,
    ephemeral: 2,
    check: 1,
  };
  return bodiesOf(root).flatMap((body) =>
    Object.entries(body).flatMap(([type, value]) => labelledBlocks(type, [], value, labelled[type] ?? 0)),
  );
}

function labelledBlocks(type: string, labels: readonly string[], value: JsonValue, missing: number): ConfigBlock[] {
  if (missing === 0) return bodiesOf(value).map((body) => jsonBlock(type, labels, body));
  return bodiesOf(value).flatMap((body) =>
    Object.entries(body).flatMap(([label, inner]) => labelledBlocks(type, [...labels, label], inner, missing - 1)),
  );
}

function jsonBlock(type: string, labels: readonly string[], body: JsonObject): ConfigBlock {
  const attributes = new Map(Object.entries(body).map(([name, value]) => [name, JSON.stringify(value)]));
  const nested = type === "terraform" ? { backend: 1, cloud: 0 } : type === "check" ? { data: 2 } : {};
  const blocks = Object.entries(nested).flatMap(([inner, count]) => {
    const value = body[inner];
    return value === undefined ? [] : labelledBlocks(inner, [], value, count).map((block) => ({ ...block, line: 0 }));
  });
  return { type, labels, body: { attributes, blocks }, text: JSON.stringify(body) };
}

function bodiesOf(value: JsonValue): readonly JsonObject[] {
  if (isJsonObject(value)) return [value];
  return Array.isArray(value) ? value.filter((item: JsonValue): item is JsonObject => isJsonObject(item)) : [];
}

/** Names that a `.tfvars` or `.tfvars.json` file gives values to. */
export function readVariableFileNames(path: string): string[] {
  const text = readFileSync(path, "utf8");
  if (!path.endsWith(".json")) return [...scanHcl(text).attributes.keys()];
  try {
    const value = parseJson(text, path);
    return isJsonObject(value) ? Object.keys(value) : [];
  } catch {
    return []; // terraform says what is wrong with it.
  }
}
