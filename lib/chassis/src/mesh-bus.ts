import type { NatsConnection } from "@nats-io/transport-node";
import type { MeshMember } from "./mesh-member.ts";
import { createNatsBus, type NatsBus } from "./nats-bus.ts";
import { connectNats, type NatsConfig } from "./nats-connection.ts";
import { DEFAULT_STREAM_SETTINGS, eventStream } from "./nats-streams.ts";

/** The event bus of a process, and the connection under it. */
export interface MeshBus {
  readonly bus: NatsBus;
  readonly connection: NatsConnection;
  close(): Promise<void>;
}

/** @throws {NatsUnreachableError} while NATS does not answer; @throws {NatsForbiddenError} when it refuses us. */
export async function openMeshBus({ name, clock, logger }: MeshMember, config: NatsConfig): Promise<MeshBus> {
  const connection = await connectNats({ config, name, clock, logger });
  const bus = await createNatsBus({
    connection,
    stream: eventStream(DEFAULT_STREAM_SETTINGS),
    clock,
    logger,
    onHandlerError: ({ subject, attempt }, error) =>
      logger.warn("an event's handler failed", { subject, attempt, error }),
    onParked: ({ subject, id }, error) => logger.error("an event was given up", { subject, event: id, error }),
  });
  return {
    bus,
    connection,
    async close() {
      await bus.close();
      await connection.close();
    },
  };
}
