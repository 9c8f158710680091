import type { DescMethod } from "@bufbuild/protobuf";
import type { Caller } from "@xcloudflow/chassis/caller";
import {
  checkEnvironment,
  isLimited,
  requireRoleIn,
  visibleEnvironments,
} from "@xcloudflow/chassis/environment-permissions";
import { isPermitted } from "@xcloudflow/chassis/permissions";
import { OrchestratorService, type StartRunRequest } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import type { OrchestratorContext } from "./orchestrator-context.ts";
import { ChangeSetNotFoundError } from "./start-run.ts";
import { RunNotFoundError } from "./watch-run.ts";

type Store = Pick<OrchestratorContext, "store">;

/** A run's environment never changes, so it may be read before the call is carried out. Costs nothing where all is open. */
export async function guardRun({ store }: Store, caller: Caller, method: DescMethod, id: string): Promise<void> {
  if (!isLimited(caller, method)) return;
  const run = await store.transact(caller.tenant, "guard-run", (tx) => tx.run(id));
  if (run === undefined) throw new RunNotFoundError(id);
  checkEnvironment(caller, method, run.environment);
}

/** As `guardRun`, for a ChangeSet. */
export async function guardChangeSet({ store }: Store, caller: Caller, method: DescMethod, id: string): Promise<void> {
  if (!isLimited(caller, method)) return;
  checkEnvironment(caller, method, await environmentOfChangeSet({ store }, caller, id));
}

/**
 * A plan needs a planner in the environment that is named; an apply needs an operator in the ChangeSet's. Who holds the
 * role in some environments only must say which: by name or by ChangeSet.
 */
export async function guardStart({ store }: Store, caller: Caller, request: StartRunRequest): Promise<void> {
  if (request.kind !== "apply")
    return checkEnvironment(caller, OrchestratorService.method.startRun, request.environment);
  if (isPermitted(caller, ["operator"])) return;
  const environment =
    request.changeSet === "" ? request.environment : await environmentOfChangeSet({ store }, caller, request.changeSet);
  requireRoleIn(caller, ["operator"], environment, "apply");
}

/** What a listing may be narrowed to, for the store. @throws {PermissionMissingError} for an environment that is not open. */
export function listable(
  caller: Caller,
  method: DescMethod,
  environment: string,
): { environments?: readonly string[] } {
  if (environment !== "") checkEnvironment(caller, method, environment);
  const environments = environment === "" ? visibleEnvironments(caller, method) : [environment];
  return environments === undefined ? {} : { environments };
}

async function environmentOfChangeSet({ store }: Store, caller: Caller, id: string): Promise<string> {
  const row = await store.transact(caller.tenant, "guard-change-set", (tx) => tx.changeSet(id));
  if (row === undefined) throw new ChangeSetNotFoundError(id);
  return row.environment;
}
