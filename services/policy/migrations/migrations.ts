import type { ServiceSchema } from "@xcloudflow/database/migrate";
import { policy } from "./0001-policy.ts";

export const policySchema: ServiceSchema = { service: "policy", migrations: [policy] };
