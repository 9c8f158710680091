import { ENGINES, type EngineName } from "./route-settings.ts";

interface ContentRule {
  readonly engine: (typeof ENGINES)[number];
  readonly matches: (fileName: string) => boolean;
}

/** What a file at the top of a module folder says about its engine. */
const RULES: readonly ContentRule[] = [
  { engine: "terraform", matches: (name) => /\.(?:tf|tofu)(?:\.json)?$/.test(name) },
  { engine: "pulumi", matches: (name) => /^Pulumi\.ya?ml$/.test(name) },
  { engine: "playbook", matches: (name) => /^playbook\.ya?ml$/.test(name) },
  { engine: "provider", matches: (name) => /^(?:.+\.)?resources?\.ya?ml$/.test(name) },
  { engine: "kubernetes", matches: (name) => /^(?:kustomization\.ya?ml|Kustomization|Chart\.ya?ml)$/.test(name) },
];

/** Plain manifests have no name of their own; they count only where nothing else was recognised. */
const MANIFEST = /\.ya?ml$/;

/**
 * The engines that a module folder's files speak of, by the names of the files directly in it. More than one: the
 * matrix's preference decides. None: the folder holds no module.
 */
export function enginesFromContents(fileNames: readonly string[]): EngineName[] {
  const found = RULES.filter((rule) => fileNames.some(rule.matches)).map((rule) => rule.engine);
  if (found.length > 0) return found;
  return fileNames.some((name) => MANIFEST.test(name) && !name.startsWith(".")) ? ["kubernetes"] : [];
}

/** The one engine of a folder, the most preferred where there are several. */
export function engineFromContents(
  fileNames: readonly string[],
  preferred: readonly EngineName[] = ENGINES,
): EngineName | undefined {
  return chooseEngine(enginesFromContents(fileNames), preferred);
}

export function chooseEngine(
  candidates: readonly EngineName[],
  preferred: readonly EngineName[],
): EngineName | undefined {
  return preferred.find((engine) => candidates.includes(engine)) ?? candidates[0];
}
