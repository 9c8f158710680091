import { after, before, describe } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { DEFAULT_STREAM_SETTINGS, eventStream } from "@xcloudflow/chassis/nats-streams";
import { requireEngine } from "../support/engines.ts";
import { type NatsBusFixture, openNatsBus } from "../support/nats.ts";
import { type NatsServer, startNatsServer } from "../support/nats-server-cli.ts";
import { describeBus } from "./bus.ts";

const subjects = ["xcf.>", "order.>", "tasks.*", "once", "flaky", "jobs", "news", "kept", "serial", "slow", "late"];

describe("over NATS", { skip: requireEngine("nats-server").skip }, () => {
  let server: NatsServer;
  before(async () => {
    server = await startNatsServer();
  });
  after(() => server.stop());

  describeBus("the bus of the mesh", async () => {
    const stream = { ...eventStream(DEFAULT_STREAM_SETTINGS), subjects };
    const bus = await openNatsBus(server.url, stream);
    return {
      ...bus,
      // The next test wants an empty one.
      async close() {
        if (bus.connection.isClosed()) return;
        await deleteStream(bus);
        await bus.close();
      },
    };
  });
});

async function deleteStream({ connection }: NatsBusFixture): Promise<void> {
  await (await jetstreamManager(connection)).streams.delete("XCF_EVENTS");
}
