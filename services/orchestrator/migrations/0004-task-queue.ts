import type { Migration } from "@xcloudflow/database/migrate";

/** The queue in the order in which it is claimed: a claim reads its head, and not every task that waits. */
export const taskQueue: Migration = {
  name: "0004-task-queue",
  up: () => ["create index task_queue on orchestrator.task (created_at, id) where status = 'queued'"],
};
