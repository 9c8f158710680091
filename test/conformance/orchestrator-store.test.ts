import { createSystemClock } from "@xcloudflow/chassis/clock";
import { createIds } from "@xcloudflow/chassis/ids";
import { createSystemRandom } from "@xcloudflow/chassis/random";
import { createMemoryOrchestratorStore } from "@xcloudflow/orchestrator/memory-orchestrator-store";
import { orchestratorSchema } from "@xcloudflow/orchestrator/migrations/migrations";
import { createSqlOrchestratorStore } from "@xcloudflow/orchestrator/sql-orchestrator-store";
import { forEachDatabase } from "../support/databases.ts";
import { describeOrchestratorStore } from "./orchestrator-store.ts";
import { describeStoreRaces } from "./orchestrator-store-races.ts";
import { describeStoreTwins } from "./orchestrator-store-twins.ts";

describeOrchestratorStore("the orchestrator's rows in memory", async () => createMemoryOrchestratorStore());

forEachDatabase("the orchestrator's rows", [orchestratorSchema], ({ kind, database }) => {
  const clock = createSystemClock();
  const open = async () => createSqlOrchestratorStore(database(), clock, createIds(clock, createSystemRandom()));
  describeOrchestratorStore("one transaction at a time", open);
  describeStoreTwins("and those in memory", open);
  if (kind === "postgres") describeStoreRaces("several transactions at once", open);
});
