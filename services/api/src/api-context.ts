import type { ServiceClients } from "@xcloudflow/chassis/clients";
import type { Clock } from "@xcloudflow/chassis/clock";
import type { Authenticate } from "@xcloudflow/chassis/edge-auth";
import type { Ids } from "@xcloudflow/chassis/ids";
import type { Logger } from "@xcloudflow/chassis/logger";
import type { Database } from "@xcloudflow/database/database";
import type { ApiTables } from "../migrations/api-tables.ts";
import type { RateLimit } from "./token-bucket.ts";

/** What every part of the service works with. */
export interface ApiContext {
  readonly database: Database<ApiTables>;
  /** Clients of the other services over an internal transport. */
  readonly clients: ServiceClients;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Logger;
  /** Of the product, as `xcf --version` prints it. */
  readonly version: string;
  readonly mode: "embedded" | "mesh";
  /** Per token, and per subject of an issuer; default 400 at once and 100 a second. */
  readonly rateLimit?: RateLimit;
  /** Of a whole tenant, over all its tokens and subjects; default 2,000 at once and 500 a second. */
  readonly tenantRateLimit?: RateLimit;
  /** Whose JWTs are taken besides API tokens; made by `createJwtAuthenticate`. None: nobody's. */
  readonly authenticateJwt?: Authenticate;
}
