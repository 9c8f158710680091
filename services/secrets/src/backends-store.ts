import { appendEvents } from "@xcloudflow/database/outbox";
import { tenantScope } from "@xcloudflow/database/scope";
import { type SecretBackend, secretBackendsSchema } from "@xcloudflow/model/dsl/secret-backend";
import { decodeDocument } from "@xcloudflow/model/parse-json";
import { z } from "zod";
import type { SecretsContext } from "./secrets-context.ts";
import { secretsEvent } from "./secrets-events.ts";

/** `.xcf.yaml`'s `spec.secrets`. */
const secretsSpecSchema = z.strictObject({ backends: secretBackendsSchema.default({}) });

/** Sets the backends of one repository. The same again changes nothing. @throws {DocumentInvalidError} */
export async function putBackends(
  context: SecretsContext,
  { tenant, actor }: { readonly tenant: string; readonly actor: string },
  repository: string,
  document: Uint8Array,
): Promise<void> {
  const { backends } = decodeDocument(secretsSpecSchema, document, "backends_document");
  const row = { document: JSON.stringify({ backends }), updated_at: context.clock.now() };
  await context.database.transaction(tenantScope("secrets", tenant, "configure-backends"), async (tx) => {
    const known = await tx
      .selectFrom("secrets.backends")
      .select("document")
      .where("repository", "=", repository)
      .forUpdate()
      .executeTakeFirst();
    if (known?.document === row.document) return;
    await tx
      .insertInto("secrets.backends")
      .values({ repository, ...row })
      .onConflict((conflict) => conflict.columns(["tenant", "repository"]).doUpdateSet(row))
      .execute();
    const data = { backends: Object.entries(backends).map(([name, { type }]) => `${name} (${type})`) };
    await appendEvents(tx, "secrets", [
      secretsEvent(context, "backends.configured", { tenant, actor, subject: repository, data }),
    ]);
  });
}

export interface ConfiguredBackend {
  readonly repository: string;
  readonly backend: SecretBackend;
}

/** The tenant's backends by name; a name that several repositories declare has several. */
export async function readBackends(
  context: SecretsContext,
  tenant: string,
): Promise<ReadonlyMap<string, readonly ConfiguredBackend[]>> {
  const rows = await context.database.transaction(tenantScope("secrets", tenant, "read-backends"), (tx) =>
    tx.selectFrom("secrets.backends").select(["repository", "document"]).orderBy("repository").execute(),
  );
  const found = new Map<string, ConfiguredBackend[]>();
  for (const { repository, document } of rows) {
    const { backends } = decodeDocument(secretsSpecSchema, Buffer.from(document), `secrets backends of ${repository}`);
    for (const [name, backend] of Object.entries(backends))
      found.set(name, [...(found.get(name) ?? []), { repository, backend }]);
  }
  return found;
}
