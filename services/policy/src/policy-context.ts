import type { Clock } from "@xcloudflow/chassis/clock";
import type { Ids } from "@xcloudflow/chassis/ids";
import type { Logger } from "@xcloudflow/chassis/logger";
import type { Database } from "@xcloudflow/database/database";
import type { PolicyTables } from "../migrations/policy-tables.ts";
import type { BundleLibrary } from "./bundle-library.ts";
import type { PolicyTools } from "./policy-tools.ts";

/** What the service's functions share. */
export interface PolicyContext {
  readonly database: Database<PolicyTables>;
  readonly bundles: BundleLibrary;
  readonly tools: PolicyTools;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Logger;
}
