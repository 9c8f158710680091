import type { ConnectRouter } from "@connectrpc/connect";
import type { Clock } from "@xcloudflow/chassis/clock";
import type { Ids } from "@xcloudflow/chassis/ids";
import type { Logger } from "@xcloudflow/chassis/logger";
import type { Database } from "@xcloudflow/database/database";
import type { PolicyTables } from "../migrations/policy-tables.ts";
import { createBundleLibrary } from "./bundle-library.ts";
import type { PolicyContext } from "./policy-context.ts";
import { policyRoutes } from "./policy-rpc.ts";
import { createPolicyTools, type PolicyTools, type PolicyToolsOptions } from "./policy-tools.ts";

export interface PolicyServiceOptions extends PolicyToolsOptions {
  /** Migrated with `policySchema`. */
  readonly database: Database;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Logger;
}

export interface PolicyServiceInstance {
  /** Registers `PolicyService`. */
  readonly routes: (router: ConnectRouter) => void;
  /** What needs no database, for a process that wants the same OPAs. */
  readonly tools: PolicyTools;
  /** Ends every OPA; requests under way fail. */
  close(): Promise<void>;
}

/** Composes the policy service. OPA is started when a bundle with policies is first loaded or asked. */
export function createPolicyService(options: PolicyServiceOptions): PolicyServiceInstance {
  const database = options.database.withTables<PolicyTables>();
  const { clock, ids, logger } = options;
  const tools = createPolicyTools(options);
  const bundles = createBundleLibrary({ database, clock, tools });
  const context: PolicyContext = { database, bundles, tools, clock, ids, logger };
  return { routes: policyRoutes(context), tools, close: () => tools.close() };
}
