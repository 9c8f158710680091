import { apiSchema } from "@xcloudflow/api/migrations/migrations";
import { auditSchema } from "@xcloudflow/audit/migrations/migrations";
import type { ServiceSchema } from "@xcloudflow/database/migrate";
import { orchestratorSchema } from "@xcloudflow/orchestrator/migrations/migrations";
import { policySchema } from "@xcloudflow/policy/migrations/migrations";
import { secretsSchema } from "@xcloudflow/secrets/migrations/migrations";
import { stateSchema } from "@xcloudflow/state/migrations/migrations";

/** Every service that owns tables. */
export const SCHEMAS: readonly ServiceSchema[] = [
  stateSchema,
  secretsSchema,
  policySchema,
  orchestratorSchema,
  auditSchema,
  apiSchema,
];
