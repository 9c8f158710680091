import type { Migration } from "@xcloudflow/database/migrate";

/** SHA-256 of the key of the request that was answered: only the same request is answered again. */
export const requestDigest: Migration = {
  name: "0003-request-digest",
  up: () => ["alter table secrets.resolutions add column request_digest text"],
};
