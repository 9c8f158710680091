import type { ServiceSchema } from "@xcloudflow/database/migrate";
import { policy } from "./0001-policy.ts";
import { outboxRelay } from "./0002-outbox-relay.ts";

export const policySchema: ServiceSchema = { service: "policy", migrations: [policy, outboxRelay] };
