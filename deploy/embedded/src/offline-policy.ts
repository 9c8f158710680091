import { tmpdir } from "node:os";
import type { CallOptions, Client } from "@connectrpc/connect";
import { as } from "@xcloudflow/chassis/caller";
import { createCodedClient } from "@xcloudflow/chassis/clients";
import type { Clock } from "@xcloudflow/chassis/clock";
import { silentLogger } from "@xcloudflow/chassis/logger";
import { createMemoryTransport } from "@xcloudflow/chassis/memory-transport";
import { createPolicyFilesRpc } from "@xcloudflow/policy/policy-files-rpc";
import { createPolicyTools } from "@xcloudflow/policy/policy-tools";
import { PolicyService } from "@xcloudflow/proto/policy/v1/policy_pb";
import { TENANT } from "./tenant.ts";
import { chooseTool } from "./tool-choices.ts";
import type { Environment } from "./tool-places.ts";

/** The policy service's verbs over files, without a control plane or database. */
export interface OfflinePolicy {
  readonly client: Pick<Client<typeof PolicyService>, "evaluateFiles" | "testPolicies">;
  readonly call: CallOptions;
  close(): Promise<void>;
}

export async function openOfflinePolicy(environment: Environment, clock: Clock): Promise<OfflinePolicy> {
  const tools = createPolicyTools({ opa: chooseTool("opa", environment), folder: tmpdir() });
  const transport = createMemoryTransport(
    [(router) => void router.service(PolicyService, createPolicyFilesRpc(tools))],
    {
      logger: silentLogger,
      clock,
      newReference: () => "offline",
    },
  );
  return {
    client: createCodedClient(PolicyService, transport),
    call: as({ tenant: TENANT, subject: "cli", groups: [], roles: ["viewer"], assurance: "asserted" }),
    close: () => tools.close(),
  };
}
