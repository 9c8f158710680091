import type { ServiceSchema } from "@xcloudflow/database/migrate";
import { secrets } from "./0001-secrets.ts";
import { outboxRelay } from "./0002-outbox-relay.ts";
import { requestDigest } from "./0003-request-digest.ts";

export const secretsSchema: ServiceSchema = { service: "secrets", migrations: [secrets, outboxRelay, requestDigest] };
