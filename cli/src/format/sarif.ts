import type { Problem } from "@xcloudflow/model/dsl/problem";

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
