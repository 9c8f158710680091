import type { DecisionsTable } from "../migrations/policy-tables.ts";

/** A decision of the log, before it has a tenant. */
export type DecisionRow = Omit<DecisionsTable, "tenant">;

/** One event of OPA's decision log format, as its `/logs` endpoint receives them in a gzipped JSON array. */
export interface DecisionLogEvent {
  readonly labels: Readonly<Record<string, string>>;
  readonly decision_id: string;
  readonly bundles: { readonly policy: { readonly revision: string } };
  readonly path: string;
  readonly result?: unknown;
  readonly erased: unknown;
  readonly masked?: unknown;
  readonly requested_by: string;
  readonly timestamp: string;
}

/** A row as OPA would have logged it. `decision_id` is made unique per event by the row's position. */
export function toLogEvent(row: DecisionRow): DecisionLogEvent {
  const masked: unknown = JSON.parse(row.masked);
  const namespaces: unknown = JSON.parse(row.namespaces);
  const result: unknown = JSON.parse(row.result);
  return {
    labels: {
      app: "xcloudflow",
      version: row.opa_version,
      ...(row.unit === "" ? {} : { unit: row.unit }),
      input_digest: row.input_digest,
    },
    decision_id: `${row.decision_id}/${row.position}`,
    bundles: { policy: { revision: row.revision } },
    path: Array.isArray(namespaces) ? namespaces.join(",").replaceAll(".", "/") : "",
    ...(result === null ? {} : { result }),
    erased: JSON.parse(row.erased),
    ...(Array.isArray(masked) && masked.length > 0 ? { masked } : {}),
    requested_by: row.requested_by,
    timestamp: row.decided_at.toISOString(),
  };
}
