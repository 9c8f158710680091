import type { ServiceSchema } from "@xcloudflow/database/migrate";
import { state } from "./0001-state.ts";

export const stateSchema: ServiceSchema = { service: "state", migrations: [state] };
