import { parseTemplate, type Template } from "../expression.ts";
import { canonicalLifecycle } from "../lifecycle.ts";
import { MATRIX, unusualClass } from "../matrix.ts";
import type { Composition } from "./composition.ts";
import { reportMissing } from "./missing.ts";
import { moduleNames } from "./module-names.ts";
import { parseModuleRef } from "./module-ref.ts";
import type { MonorepoOptions } from "./monorepo.ts";
import { findComposition, type Monorepo } from "./monorepo-index.ts";
import { didYouMean } from "./nearest.ts";
import { parameterMismatch } from "./parameters.ts";
import type { ParsedDocument } from "./parse.ts";
import type { Problem } from "./problem.ts";
import { problemAtValue, problemInside } from "./report.ts";
import { checkSettings } from "./setting-checks.ts";
import { walkStrings } from "./walk-strings.ts";

/** What can be said of a composition before any environment assembles it. */
export function checkComposition(
  monorepo: Monorepo,
  composition: ParsedDocument<Composition>,
  options: MonorepoOptions,
  problems: Problem[],
): void {
  checkFrequency(composition, problems);
  checkDependencies(monorepo, composition, problems);
  checkDefaults(composition, problems);
  checkModules(composition, options, problems);
  checkInputs(monorepo, composition, problems);
  checkSettings(composition, problems);
}

function checkFrequency(composition: ParsedDocument<Composition>, problems: Problem[]): void {
  const { lifecycle, changeFrequency } = composition.value.spec;
  const row = MATRIX[canonicalLifecycle(lifecycle)];
  if (changeFrequency === undefined || !row.oddFrequencies.includes(changeFrequency)) return;
  problems.push(
    problemAtValue(composition, ["spec", "changeFrequency"], {
      code: "FREQUENCY_ODD",
      message: `${lifecycle} that changes with ${changeFrequency} frequency is unusual`,
      hint: `${row.usualFrequency} is usual; perhaps another lifecycle is meant`,
      severity: "warning",
    }),
  );
}

function checkDependencies(monorepo: Monorepo, composition: ParsedDocument<Composition>, problems: Problem[]): void {
  for (const [index, { ref }] of (composition.value.spec.dependencies ?? []).entries()) {
    const path = ["spec", "dependencies", index, "ref"];
    const target = findComposition(monorepo, ref);
    if (target === undefined) reportMissing(monorepo, composition, path, ref, problems);
    else if (target === composition) {
      const { name } = composition.value.metadata;
      problems.push(
        problemAtValue(composition, path, {
          code: "CYCLE",
          message: `"${name}" depends on itself: ${name} → ${name}`,
          hint: "remove this reference",
        }),
      );
    }
  }
}

function checkDefaults(composition: ParsedDocument<Composition>, problems: Problem[]): void {
  for (const [name, parameter] of Object.entries(composition.value.spec.parameters ?? {})) {
    if (parameter.default === undefined) continue;
    const mismatch = parameterMismatch(parameter, parameter.default);
    if (mismatch === undefined) continue;
    problems.push(
      problemAtValue(composition, ["spec", "parameters", name, "default"], {
        code: "PARAMETER_TYPE",
        message: `the default of the parameter "${name}" ${mismatch}`,
        hint: "correct the default, or the parameter's type",
      }),
    );
  }
}

function checkModules(composition: ParsedDocument<Composition>, options: MonorepoOptions, problems: Problem[]): void {
  const names = moduleNames(composition.value);
  for (const [index, module] of composition.value.spec.modules.entries()) {
    const path = ["spec", "modules", index];
    const name = names[index] ?? "";
    const first = names.indexOf(name);
    if (first !== index) {
      const place = composition.source.reference(composition.index, ["spec", "modules", first]);
      problems.push(
        problemAtValue(composition, module.name === undefined ? [...path, "ref"] : [...path, "name"], {
          code: "MODULE_REPEATED",
          message: `a second module is named "${name}"`,
          hint: `the first is at ${place}; give this one another name`,
        }),
      );
    }
    checkModuleRef(composition, index, module.ref, options, problems);
    const usual = unusualClass(canonicalLifecycle(composition.value.spec.lifecycle), module.ref);
    if (usual !== undefined) {
      problems.push(
        problemAtValue(composition, [...path, "ref"], {
          code: "RESOURCE_UNUSUAL",
          message: `"${usual.word}" usually belongs to ${usual.lifecycle}, not ${canonicalLifecycle(composition.value.spec.lifecycle)}`,
          hint: "perhaps the composition's lifecycle is wrong, or the module belongs to another composition",
          severity: "warning",
        }),
      );
    }
  }
}

function checkModuleRef(
  composition: ParsedDocument<Composition>,
  index: number,
  text: string,
  options: MonorepoOptions,
  problems: Problem[],
): void {
  const path = ["spec", "modules", index, "ref"];
  const result = parseModuleRef(text);
  if (!result.ok) {
    problems.push(problemAtValue(composition, path, { code: result.code, message: result.message, hint: result.hint }));
    return;
  }
  const { ref } = result;
  if (ref.kind === "local" && options.folderExists !== undefined && !options.folderExists(ref.path)) {
    problems.push(
      problemAtValue(composition, path, {
        code: "REF_MISSING",
        message: `there is no folder "${ref.path}"`,
        hint: "add the module, or correct the reference",
      }),
    );
  }
  if (ref.kind === "git" && !ref.pinned) {
    problems.push(
      problemAtValue(composition, path, {
        code: "REF_UNPINNED",
        message: `"${ref.ref}" can move`,
        hint: "name a commit by its full hash",
        severity: "warning",
      }),
    );
  }
}

/** Expressions: form, parameters, and what outputs name; whether an environment can bind them is the expansion's to say. */
function checkInputs(monorepo: Monorepo, composition: ParsedDocument<Composition>, problems: Problem[]): void {
  const parameters = composition.value.spec.parameters ?? {};
  for (const [index, module] of composition.value.spec.modules.entries()) {
    walkStrings(module.inputs ?? {}, ["spec", "modules", index, "inputs"], (text, path) => {
      if (!text.includes("${")) return;
      const parsed = parseTemplate(text);
      if (!parsed.ok) {
        for (const fault of parsed.faults)
          problems.push(
            problemInside(composition, path, text, fault.offset, {
              code: fault.code,
              message: fault.message,
              hint: fault.hint,
            }),
          );
        return;
      }
      for (const part of parsed.template) {
        if (typeof part === "string" || part.kind !== "param" || Object.hasOwn(parameters, part.name)) continue;
        const offset = Math.max(0, text.indexOf(`param.${part.name}`) - 2);
        problems.push(
          problemInside(composition, path, text, offset, {
            code: "PARAMETER_UNDEFINED",
            message: `\${param.${part.name}} is not defined`,
            hint: didYouMean(part.name, () => Object.keys(parameters), "add it to spec.parameters", problems.length),
          }),
        );
      }
      checkOutputs(monorepo, composition, path, text, parsed.template, problems);
    });
  }
}

function checkOutputs(
  monorepo: Monorepo,
  composition: ParsedDocument<Composition>,
  path: readonly PropertyKey[],
  text: string,
  template: Template,
  problems: Problem[],
): void {
  for (const reference of template) {
    if (typeof reference === "string" || reference.kind !== "outputs") continue;
    const offset = Math.max(0, text.indexOf(reference.composition) - "${outputs.".length);
    const target = monorepo.compositions.get(reference.composition);
    if (target === undefined) {
      const hint = didYouMean(
        reference.composition,
        () => monorepo.compositions.keys(),
        "a composition is named by its metadata.name",
        problems.length,
      );
      problems.push(
        problemInside(composition, path, text, offset, {
          code: "COMPOSITION_MISSING",
          message: `there is no composition "${reference.composition}"`,
          hint,
        }),
      );
      continue;
    }
    const names = moduleNames(target.value);
    if (names.includes(reference.module)) continue;
    problems.push(
      problemInside(composition, path, text, offset, {
        code: "MODULE_MISSING",
        message: `the composition "${reference.composition}" has no module "${reference.module}"`,
        hint: didYouMean(reference.module, () => names, "see the modules of that composition", problems.length),
      }),
    );
  }
}
