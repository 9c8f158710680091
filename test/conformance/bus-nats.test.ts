import { describe } from "node:test";
import { DEFAULT_STREAM_SETTINGS, eventStream } from "@xcloudflow/chassis/nats-streams";
import { requireEngine } from "../support/engines.ts";
import { openNatsBus } from "../support/nats.ts";
import { startNatsServer } from "../support/nats-server-cli.ts";
import { describeBus } from "./bus.ts";

const subjects = ["xcf.>", "order.>", "tasks.*", "once", "flaky", "jobs", "news", "kept", "serial", "slow", "late"];

describe("over NATS", { skip: requireEngine("nats-server").skip }, () => {
  describeBus("the bus of the mesh", async () => {
    // A server each: a stream deleted and made again at once may hold what it held before.
    const server = await startNatsServer();
    const bus = await openNatsBus(server.url, { ...eventStream(DEFAULT_STREAM_SETTINGS), subjects });
    return {
      ...bus,
      async close() {
        await bus.close();
        await server.stop();
      },
    };
  });
});
