/** What one file may hold. A file beyond a limit is one problem that names the limit; nothing else is looked at in it. */
export const LIMITS = {
  /** UTF-8 bytes of a file. */
  fileBytes: 1_048_576,
  /** Maps and lists inside each other, aliases expanded. */
  depth: 32,
  /** YAML aliases (`*name`) of a document. */
  aliases: 100,
  /** Values of a file, aliases expanded. */
  values: 500_000,
  /** Documents of a file. */
  documents: 1_000,
  /** `${…}` expressions of a file. */
  references: 10_000,
  /** Units of an environment. */
  units: 100_000,
  /** Dependencies between an environment's units. */
  edges: 1_000_000,
  /** Input values of an environment's units together. */
  inputs: 10_000_000,
  /** Problems that are told of a file; the rest is counted. */
  problems: 1_000,
} as const;
