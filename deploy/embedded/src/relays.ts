import type { Bus } from "@xcloudflow/chassis/bus";
import type { Clock } from "@xcloudflow/chassis/clock";
import type { Logger } from "@xcloudflow/chassis/logger";
import type { Database } from "@xcloudflow/database/database";
import { createRelay, type Relay } from "@xcloudflow/database/relay";

const POLL_MS = 5_000;
/** An event is told this late, and its transaction shared with those that came meanwhile. */
const LINGER_MS = 200;
const KEEP_MS = 24 * 3_600_000;

/** One relay per service that writes events. */
export function startRelays(
  database: Database,
  bus: Bus,
  clock: Clock,
  logger: Logger,
  services: readonly string[],
): { flush(): Promise<void>; close(): Promise<void> } {
  const relays: Relay[] = services.map((service) =>
    createRelay({
      database,
      bus,
      clock,
      service,
      pollMs: POLL_MS,
      lingerMs: LINGER_MS,
      keepMs: KEEP_MS,
      onError: (error) => logger.error("publishing events failed", { service, error }),
    }),
  );
  return {
    flush: async () => void (await Promise.all(relays.map((relay) => relay.flush()))),
    close: async () => void (await Promise.all(relays.map((relay) => relay.close()))),
  };
}
