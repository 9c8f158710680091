import type { MeshBus } from "@xcloudflow/chassis/mesh-bus";
import type { MeshMember } from "@xcloudflow/chassis/mesh-member";
import { createNatsSignals } from "@xcloudflow/chassis/nats-signals";
import type { Database } from "./database.ts";
import { observeOutbox } from "./database-metrics.ts";
import { createRelay, type Relay } from "./relay.ts";

const POLL_MS = 1_000;
/** As long as the bus keeps events, so that all of them can be published again should it lose them. */
const KEEP_MS = 7 * 86_400_000;
const LEASE_MS = 5_000;
const IN_FLIGHT = 500;

/** Publishes a mesh process's outbox, taking turns with the service's other replicas. */
export function startServiceRelay(
  { name, instance, clock, logger }: MeshMember,
  database: Database,
  { bus, connection }: MeshBus,
): Relay {
  const relay = createRelay({
    database,
    bus,
    clock,
    service: name,
    pollMs: POLL_MS,
    keepMs: KEEP_MS,
    onError: (error) => logger.warn("publishing events failed", { error }),
    replicas: {
      holder: instance,
      leaseMs: LEASE_MS,
      signals: createNatsSignals(connection),
      inFlight: IN_FLIGHT,
      onStoreLost: (events) => logger.warn("the bus lost what was published; it is published again", { events }),
    },
  });
  const stopObserving = observeOutbox(database, name, (error) =>
    logger.warn("the outbox could not be measured", { error }),
  );
  return {
    flush: relay.flush,
    async close() {
      stopObserving();
      await relay.close();
    },
  };
}
