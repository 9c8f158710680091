import type { ServiceSchema } from "@xcloudflow/database/migrate";
import { orchestrator } from "./0001-orchestrator.ts";
import { outboxRelay } from "./0002-outbox-relay.ts";
import { replicas } from "./0003-replicas.ts";
import { taskQueue } from "./0004-task-queue.ts";
import { identities } from "./0005-identities.ts";

export const orchestratorSchema: ServiceSchema = {
  service: "orchestrator",
  migrations: [orchestrator, outboxRelay, replicas, taskQueue, identities],
};
