import type { ServiceSchema } from "@xcloudflow/database/migrate";
import { state } from "./0001-state.ts";
import { outboxRelay } from "./0002-outbox-relay.ts";

export const stateSchema: ServiceSchema = { service: "state", migrations: [state, outboxRelay] };
