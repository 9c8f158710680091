import type { Bus } from "@xcloudflow/chassis/bus";
import type { MeshMember } from "@xcloudflow/chassis/mesh-member";
import type { Database } from "./database.ts";
import { createRelay, type Relay } from "./relay.ts";

const POLL_MS = 1_000;
/** As long as the bus keeps events, so that all of them can be published again should it lose them. */
const KEEP_MS = 7 * 86_400_000;

/** Publishes a mesh process's outbox; its replicas do the same. */
export function startServiceRelay({ clock, logger }: MeshMember, database: Database, bus: Bus, service: string): Relay {
  return createRelay({
    database,
    bus,
    clock,
    service,
    pollMs: POLL_MS,
    keepMs: KEEP_MS,
    onError: (error) => logger.warn("publishing events failed", { error }),
  });
}
