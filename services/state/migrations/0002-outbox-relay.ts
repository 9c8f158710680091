import type { Migration } from "@xcloudflow/database/migrate";
import { relayTable } from "@xcloudflow/database/relay-lease";

/** Replicas take turns at publishing the outbox. */
export const outboxRelay: Migration = { name: "0002-outbox-relay", up: () => relayTable("state") };
