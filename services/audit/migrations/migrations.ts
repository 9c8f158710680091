import type { ServiceSchema } from "@xcloudflow/database/migrate";
import { audit } from "./0001-audit.ts";

export const auditSchema: ServiceSchema = { service: "audit", migrations: [audit] };
