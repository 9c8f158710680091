import { CORE_SCHEMA, defineMappingTag, mapTag } from "js-yaml";

/** What a key that is no text is refused with; `yaml-values.ts` says it in better words. */
export const KEY_NOT_TEXT = "a key is not text";

/**
 * Maps whose keys are text. A key that YAML reads as a number, a boolean or null would be turned into text by some
 * parsers and not by others, each in its own way.
 */
const textKeyMapTag = defineMappingTag<Record<string, unknown>>("tag:yaml.org,2002:map", {
  create: mapTag.create,
  addPair: (carrier, key, value) => (typeof key === "string" ? mapTag.addPair(carrier, key, value) : KEY_NOT_TEXT),
  has: mapTag.has,
  keys: mapTag.keys,
  get: mapTag.get,
  identify: mapTag.identify,
});

/** YAML 1.2's core schema: no merge keys, no dates, no binary, no sets. */
export const DSL_YAML_SCHEMA = CORE_SCHEMA.withTags(textKeyMapTag);
