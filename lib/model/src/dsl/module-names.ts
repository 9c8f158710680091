import type { Composition } from "./composition.ts";
import { defaultModuleName } from "./module-ref.ts";

const known = new WeakMap<Composition, readonly string[]>();

/** The names of a composition's modules, in order, with the defaults filled in. */
export function moduleNames(composition: Composition): readonly string[] {
  let names = known.get(composition);
  if (names === undefined) {
    names = composition.spec.modules.map((module) => module.name ?? defaultModuleName(module.ref));
    known.set(composition, names);
  }
  return names;
}
