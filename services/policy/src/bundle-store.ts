import { gunzipSync, gzipSync } from "node:zlib";
import type { Tx } from "@xcloudflow/database/database";
import { z } from "zod";
import type { PolicyTables } from "../migrations/policy-tables.ts";
import { composeBundle, type PolicyBundle, type PolicyFile } from "./policy-bundle.ts";

const fileSchema = z.tuple([z.string(), z.base64()]);
const filesSchema = z.strictObject({ policies: z.array(fileSchema), data: z.array(fileSchema) });

export async function insertBundle(tx: Tx<PolicyTables>, bundle: PolicyBundle, now: Date): Promise<void> {
  const files = JSON.stringify({ policies: bundle.policies.map(encodeFile), data: bundle.data.map(encodeFile) });
  await tx
    .insertInto("policy.bundles")
    .values({
      revision: bundle.revision,
      rego_version: bundle.regoVersion,
      data_root: bundle.dataRoot,
      files: gzipSync(files),
      created_at: now,
    })
    .onConflict((conflict) => conflict.columns(["tenant", "revision"]).doNothing())
    .execute();
}

/** The bundle as it was kept; its revision is computed again, so a changed row is not taken for the bundle it names. */
export async function selectBundle(tx: Tx<PolicyTables>, revision: string): Promise<PolicyBundle | undefined> {
  const row = await tx
    .selectFrom("policy.bundles")
    .select(["rego_version", "data_root", "files"])
    .where("revision", "=", revision)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const files = filesSchema.parse(JSON.parse(gunzipSync(row.files).toString()));
  return composeBundle(files.policies.map(decodeFile), files.data.map(decodeFile), {
    regoVersion: row.rego_version === "v0" ? "v0" : "v1",
    dataRoot: row.data_root,
  });
}

function encodeFile({ path, content }: PolicyFile): [string, string] {
  return [path, Buffer.from(content).toString("base64")];
}

function decodeFile([path, content]: z.infer<typeof fileSchema>): PolicyFile {
  return { path, content: Buffer.from(content, "base64") };
}
