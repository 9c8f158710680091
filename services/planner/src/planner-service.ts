import { join } from "node:path";
import type { ServiceImpl } from "@connectrpc/connect";
import type { PlannerService } from "@xcloudflow/proto/planner/v1/planner_pb";
import { createAppliedPointers } from "./applied-pointers.ts";
import { DEFAULT_GIT, type GitSettings } from "./git-process-cli.ts";
import { createModulePacker } from "./module-packer.ts";
import type { PlannerContext, PolicyClient, RouterClient, SecretsClient, StateClient } from "./planner-context.ts";
import { createPlannerRpc } from "./planner-rpc.ts";
import { createRegistryModules, type RegistrySettings } from "./registry-modules.ts";
import { createRemoteModules } from "./remote-modules.ts";
import { createRepositories } from "./repositories.ts";
import { createRepositoryMirrors } from "./repository-mirror.ts";
import { createRouteAsker } from "./route-asker.ts";

export interface PlannerOptions {
  readonly router: RouterClient;
  readonly policy: PolicyClient;
  readonly secrets: SecretsClient;
  readonly state: StateClient;
  /** How git is run; only `PATH` and what fetching needs reach it. */
  readonly git?: GitSettings;
  /** Where repositories of `git::` modules are kept; may be deleted at any time. */
  readonly cacheDirectory: string;
  /** Transports that `git::` modules may use; `https` and `ssh` unless the operator allows more. */
  readonly transports?: readonly string[];
  /** Prefixes of the repositories that may be read, folders or URLs; absent (one user's own machine): any folder. */
  readonly repositories?: readonly string[];
  /** Tokens of module registries, and certificate authorities besides those that Node knows. */
  readonly registries?: RegistrySettings;
}

export interface Planner {
  readonly rpc: ServiceImpl<typeof PlannerService>;
  /** What the RPCs work with, for callers in the same process. */
  readonly context: PlannerContext;
  /** Ends the git processes that are kept. */
  close(): void;
}

/** Composes the planner. It keeps nothing but caches, all in memory: every answer can be worked out again from git. */
export function createPlanner({
  router,
  policy,
  secrets,
  state,
  git = DEFAULT_GIT,
  cacheDirectory,
  transports = ["https", "ssh"],
  repositories: allowed,
  registries = { readToken: () => undefined },
}: PlannerOptions): Planner {
  const mirrors = createRepositoryMirrors(git, { cacheDirectory: join(cacheDirectory, "repositories"), transports });
  const repositories = createRepositories(git, allowed === undefined ? undefined : { allowed, mirrors });
  const remote = createRemoteModules(git, { cacheDirectory, transports });
  const context: PlannerContext = {
    policy,
    secrets,
    state,
    git,
    repositories,
    remote,
    registry: createRegistryModules(cacheDirectory, remote, registries),
    applied: createAppliedPointers(state),
    packer: createModulePacker(),
    routes: createRouteAsker(router),
  };
  return {
    rpc: createPlannerRpc(context),
    context,
    close() {
      repositories.close();
      remote.close();
    },
  };
}
