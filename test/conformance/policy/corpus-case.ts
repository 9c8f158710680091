import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/** A policy/input pair with what is given on the command line. Paths are relative to the case's folder. */
export interface CorpusCase {
  readonly name: string;
  readonly folder: string;
  readonly about: string;
  readonly inputs: readonly string[];
  readonly data: readonly string[];
  readonly namespaces: readonly string[];
  readonly allNamespaces: boolean;
  readonly combine: boolean;
  readonly regoVersion: "v0" | "v1";
}

const caseSchema = z.strictObject({
  about: z.string().min(1),
  inputs: z.array(z.string()).min(1),
  data: z.array(z.string()).default([]),
  namespaces: z.array(z.string()).default([]),
  allNamespaces: z.boolean().default(false),
  combine: z.boolean().default(false),
  regoVersion: z.enum(["v0", "v1"]).default("v1"),
});

const corpus = join(import.meta.dirname, "testdata", "corpus");

export function readCorpus(): CorpusCase[] {
  return readdirSync(corpus)
    .sort()
    .map((name) => {
      const folder = join(corpus, name);
      return { name, folder, ...caseSchema.parse(JSON.parse(readFileSync(join(folder, "case.json"), "utf8"))) };
    });
}
