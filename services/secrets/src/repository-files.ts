import type { Client } from "@connectrpc/connect";
import { as, serviceCaller } from "@xcloudflow/chassis/caller";
import type { OrchestratorService } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import type { PlannerService } from "@xcloudflow/proto/planner/v1/planner_pb";
import type { ReadRepositoryFile } from "./secrets-context.ts";

export interface RepositoryFilesClients {
  readonly orchestrator: Pick<Client<typeof OrchestratorService>, "getGoverningCommit">;
  readonly planner: Pick<Client<typeof PlannerService>, "readFile">;
}

/** Files that secrets backends name, read at the commit whose rules hold, never from a proposal. */
export function createRepositoryFiles({ orchestrator, planner }: RepositoryFilesClients): ReadRepositoryFile {
  return async ({ tenant, repository, path }) => {
    const call = as(serviceCaller(tenant, "secrets"));
    const { commit } = await orchestrator.getGoverningCommit({ repository }, call);
    return (await planner.readFile({ repository, commit, path }, call)).content;
  };
}
