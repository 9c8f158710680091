import { createSystemClock } from "@xcloudflow/chassis/clock";
import { createMemoryBus } from "@xcloudflow/chassis/memory-bus";
import { describeBus } from "./bus.ts";

describeBus("the in-process bus", async () =>
  createMemoryBus({ clock: createSystemClock(), redeliveryDelayMs: () => 5, onHandlerError: () => undefined }),
);
