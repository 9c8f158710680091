import type { AppliedPointer } from "@xcloudflow/model/applied-pointer";
import { TENANT } from "./state-fixture.ts";

const matrix = { layer: "matrix" } as const;

/** What a unit of terraform may have been applied with. */
export function appliedPointer(address: string, over: Partial<AppliedPointer> = {}): AppliedPointer {
  return {
    address,
    tenant: TENANT,
    environment: address.split("/")[0] ?? "",
    commit: "c0ffee",
    changeSet: "cs_1",
    run: "run_1",
    unit: {
      address,
      action: "apply",
      engine: "terraform",
      route: {
        address,
        lifecycle: { value: "Platform", from: matrix },
        changeFrequency: { value: "medium", from: matrix },
        engine: { value: "terraform", from: matrix },
        reconcile: { value: { strategy: "periodic", interval: "30m" }, from: matrix },
        drift: { value: "correct", from: matrix },
        gate: { value: { kind: "automatic", groups: [], quorum: 1 }, from: matrix },
        backup: { value: "none", from: matrix },
        concurrency: { value: 2, from: matrix },
      },
      module: { archive: "sha256:module", path: "module", contentHash: "sha256:1" },
      inputs: {},
      engineConfig: {},
      credentials: { plan: {}, apply: {} },
      ignoreDrift: [],
      contentHash: "sha256:2",
      selected: true,
      reason: "new",
      replace: [],
    },
    dependsOn: [],
    outputs: {},
    serial: 1,
    lineage: "lineage-1",
    engineVersion: "1.11.4",
    appliedAt: "2026-01-01T00:00:00Z",
    ...over,
  };
}
