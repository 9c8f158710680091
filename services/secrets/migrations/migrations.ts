import type { ServiceSchema } from "@xcloudflow/database/migrate";
import { secrets } from "./0001-secrets.ts";

export const secretsSchema: ServiceSchema = { service: "secrets", migrations: [secrets] };
