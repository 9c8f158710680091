import type { ServiceSchema } from "@xcloudflow/database/migrate";
import { orchestrator } from "./0001-orchestrator.ts";

export const orchestratorSchema: ServiceSchema = { service: "orchestrator", migrations: [orchestrator] };
