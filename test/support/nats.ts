import type { NatsConnection } from "@nats-io/transport-node";
import type { Delivery } from "@xcloudflow/chassis/bus";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import type { Logger } from "@xcloudflow/chassis/logger";
import { createNatsBus, type NatsBus, type NatsBusOptions } from "@xcloudflow/chassis/nats-bus";
import { connectNats, type NatsConfig } from "@xcloudflow/chassis/nats-connection";
import { DEFAULT_STREAM_SETTINGS, eventStream, type StreamSpec } from "@xcloudflow/chassis/nats-streams";

export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => silentLogger,
};

/** Connects as a process of the mesh does. */
export async function connectTo(url: string, config: Partial<NatsConfig> = {}): Promise<NatsConnection> {
  const options = { name: "test", clock: createSystemClock(), logger: silentLogger, patienceMs: 0 };
  return await connectNats({ ...options, config: { ...config, XCF_NATS_URL: url } });
}

export interface NatsBusFixture extends NatsBus {
  readonly connection: NatsConnection;
  readonly parked: readonly Delivery[];
}

/** A bus with a connection of its own that ends with it; delivers again at once. */
export async function openNatsBus(
  url: string,
  stream: StreamSpec = eventStream(DEFAULT_STREAM_SETTINGS),
  options: Partial<NatsBusOptions> = {},
): Promise<NatsBusFixture> {
  const connection = await connectTo(url);
  const parked: Delivery[] = [];
  const bus = await createNatsBus({
    connection,
    stream,
    clock: createSystemClock(),
    logger: silentLogger,
    redeliveryDelayMs: () => 5,
    onHandlerError: () => undefined,
    onParked: (delivery) => void parked.push(delivery),
    ...options,
  });
  return {
    ...bus,
    connection,
    parked,
    async close() {
      await bus.close();
      await connection.close();
    },
  };
}
