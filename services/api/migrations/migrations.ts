import type { ServiceSchema } from "@xcloudflow/database/migrate";
import { api } from "./0001-api.ts";
import { outboxRelay } from "./0002-outbox-relay.ts";
import { tokenEnvironments } from "./0003-token-environments.ts";

export const apiSchema: ServiceSchema = { service: "api", migrations: [api, outboxRelay, tokenEnvironments] };
