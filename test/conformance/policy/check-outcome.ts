import { canonicalJson } from "@xcloudflow/model/canonical-json";
import { z } from "zod";

/** What judging a case came to: conftest's report in an order of its own, or that it stopped with an error. */
export type Outcome = { readonly report: unknown } | { readonly error: string };

const reportSchema = z.array(
  z.looseObject({
    filename: z.string(),
    namespace: z.string(),
    failures: z.array(z.unknown()).optional(),
    warnings: z.array(z.unknown()).optional(),
    exceptions: z.array(z.unknown()).optional(),
  }),
);

/** conftest walks maps, so neither its files nor its findings have an order. */
export function orderReport(value: unknown): unknown {
  const sort = <T>(list: readonly T[]): T[] => list.toSorted((a, b) => (canonicalJson(a) < canonicalJson(b) ? -1 : 1));
  const checks = reportSchema.nullable().parse(value) ?? [];
  return sort(
    checks.map(({ failures, warnings, exceptions, ...rest }) => ({
      ...rest,
      ...(failures === undefined ? {} : { failures: sort(failures) }),
      ...(warnings === undefined ? {} : { warnings: sort(warnings) }),
      ...(exceptions === undefined ? {} : { exceptions: sort(exceptions) }),
    })),
  );
}

/** The part of an outcome that must be equal: errors only have to be errors on both sides. */
export function comparable(outcome: Outcome): unknown {
  return "error" in outcome ? "stopped with an error" : outcome.report;
}
