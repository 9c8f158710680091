import { tmpdir } from "node:os";
import type { Client } from "@connectrpc/connect";
import { as, type Caller, serviceCaller } from "@xcloudflow/chassis/caller";
import { createCodedClient } from "@xcloudflow/chassis/clients";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { createIds } from "@xcloudflow/chassis/ids";
import { silentLogger } from "@xcloudflow/chassis/logger";
import { createMemoryTransport } from "@xcloudflow/chassis/memory-transport";
import { createSystemRandom } from "@xcloudflow/chassis/random";
import type { Database } from "@xcloudflow/database/database";
import {
  createPolicyService,
  type PolicyServiceInstance,
  type PolicyServiceOptions,
} from "@xcloudflow/policy/policy-service";
import { PolicyService } from "@xcloudflow/proto/policy/v1/policy_pb";

export interface PolicyFixture {
  readonly service: PolicyServiceInstance;
  readonly client: Client<typeof PolicyService>;
}

/** The policy service as the embedded mode composes it: over the in-memory transport, permissions checked. */
export function openPolicy(
  database: Database,
  options: Pick<PolicyServiceOptions, "opa"> & Partial<PolicyServiceOptions>,
): PolicyFixture {
  const clock = createSystemClock();
  const ids = createIds(clock, createSystemRandom());
  const service = createPolicyService({ database, clock, ids, logger: silentLogger, folder: tmpdir(), ...options });
  const transport = createMemoryTransport([service.routes], {
    logger: silentLogger,
    clock,
    newReference: () => ids.next("ref"),
  });
  return { service, client: createCodedClient(PolicyService, transport) };
}

export const orchestrator = (tenant: string) => as(serviceCaller(tenant, "orchestrator"));

export function person(tenant: string, ...roles: Caller["roles"]) {
  return as({ tenant, subject: "ada@example.com", groups: [], roles, assurance: "asserted" });
}

export function file(path: string, text: string): { path: string; content: Uint8Array } {
  return { path, content: Buffer.from(text) };
}

/** A plan of one resource in the shape policies see. */
export function planOf(unit: string, ...actions: string[]): { unit: string; input: Uint8Array } {
  const change = { actions, before: null, after: { tags: {} }, after_unknown: {} };
  const resource = { address: "aws_db_instance.main", type: "aws_db_instance", name: "main", change };
  return { unit, input: Buffer.from(JSON.stringify({ resource_changes: [resource], xcf: { unit } })) };
}
