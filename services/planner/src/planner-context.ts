import type { Client } from "@connectrpc/connect";
import type { PolicyService } from "@xcloudflow/proto/policy/v1/policy_pb";
import type { RouterService } from "@xcloudflow/proto/router/v1/router_pb";
import type { SecretsService } from "@xcloudflow/proto/secrets/v1/secrets_pb";
import type { StateService } from "@xcloudflow/proto/state/v1/state_pb";
import type { AppliedPointers } from "./applied-pointers.ts";
import type { GitSettings } from "./git-process-cli.ts";
import type { ModulePacker } from "./module-packer.ts";
import type { RegistryModules } from "./registry-modules.ts";
import type { RemoteModules } from "./remote-modules.ts";
import type { Repositories } from "./repositories.ts";
import type { RouteAsker } from "./route-asker.ts";

/** What the planner asks of other services, and no more. */
export type RouterClient = Pick<Client<typeof RouterService>, "route">;
export type PolicyClient = Pick<Client<typeof PolicyService>, "loadBundle">;
export type SecretsClient = Pick<Client<typeof SecretsService>, "configureBackends">;
export type StateClient = Pick<
  Client<typeof StateService>,
  "hasArtefacts" | "putArtefact" | "listApplied" | "listStates"
>;

/** Everything that compiling touches besides its request. */
export interface PlannerContext {
  readonly policy: PolicyClient;
  readonly secrets: SecretsClient;
  readonly state: StateClient;
  readonly git: GitSettings;
  readonly repositories: Repositories;
  readonly applied: AppliedPointers;
  readonly packer: ModulePacker;
  readonly remote: RemoteModules;
  readonly registry: RegistryModules;
  readonly routes: RouteAsker;
}
