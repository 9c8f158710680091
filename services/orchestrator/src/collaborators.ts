import type { Client } from "@connectrpc/connect";
import type { PlannerService } from "@xcloudflow/proto/planner/v1/planner_pb";
import type { PolicyService } from "@xcloudflow/proto/policy/v1/policy_pb";
import type { SecretsService } from "@xcloudflow/proto/secrets/v1/secrets_pb";
import type { StateService } from "@xcloudflow/proto/state/v1/state_pb";

/** What the orchestrator asks of other services, and no more: the simulator implements just these. */
export type PlannerClient = Pick<Client<typeof PlannerService>, "compile" | "assemble" | "checkFreshness">;
export type PolicyClient = Pick<Client<typeof PolicyService>, "evaluate">;
export type StateClient = Pick<
  Client<typeof StateService>,
  | "putChangeSet"
  | "getChangeSet"
  | "listApplied"
  | "putApplied"
  | "deleteApplied"
  | "listStates"
  | "raiseFence"
  | "putDrift"
  | "moveState"
>;
export type SecretsClient = Pick<Client<typeof SecretsService>, "raiseFence">;
