import type { ServiceSchema } from "@xcloudflow/database/migrate";
import { api } from "./0001-api.ts";

export const apiSchema: ServiceSchema = { service: "api", migrations: [api] };
