import type { Problem } from "@xcloudflow/model/dsl/problem";
import { z } from "zod";

/** The part of SARIF 2.1.0 that is written here. */
export const sarifSchema = z.strictObject({
  $schema: z.literal("https://json.schemastore.org/sarif-2.1.0.json"),
  version: z.literal("2.1.0"),
  runs: z.tuple([
    z.strictObject({
      tool: z.strictObject({
        driver: z.strictObject({
          name: z.literal("xcf"),
          version: z.string(),
          rules: z.array(z.strictObject({ id: z.string() })),
        }),
      }),
      columnKind: z.literal("utf16CodeUnits"),
      results: z.array(
        z.strictObject({
          ruleId: z.string(),
          level: z.enum(["error", "warning"]),
          message: z.strictObject({ text: z.string() }),
          locations: z.tuple([
            z.strictObject({
              physicalLocation: z.strictObject({
                artifactLocation: z.strictObject({ uri: z.string() }),
                region: z.strictObject({
                  startLine: z.number().int().positive(),
                  startColumn: z.number().int().positive(),
                  endLine: z.number().int().positive().optional(),
                  endColumn: z.number().int().positive().optional(),
                }),
              }),
            }),
          ]),
        }),
      ),
    }),
  ]),
});

/** SARIF 2.1.0 (OASIS), the form code hosts show beside the lines. */
export function problemsAsSarif(problems: readonly Problem[], version: string): object {
  const rules = [...new Set(problems.map((problem) => problem.code))].sort().map((id) => ({ id }));
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: { driver: { name: "xcf", version, rules } },
        columnKind: "utf16CodeUnits",
        results: problems.map((problem) => ({
          ruleId: problem.code,
          level: problem.severity,
          message: { text: problem.hint === "" ? problem.message : `${problem.message} — ${problem.hint}` },
          locations: [
            {
              physicalLocation: {
                artifactLocation: { uri: problem.file },
                region: {
                  startLine: problem.line,
                  startColumn: problem.col,
                  ...(problem.endLine === undefined ? {} : { endLine: problem.endLine }),
                  ...(problem.endCol === undefined ? {} : { endColumn: problem.endCol }),
                },
              },
            },
          ],
        })),
      },
    ],
  };
}
