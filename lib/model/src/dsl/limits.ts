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
} as const;
