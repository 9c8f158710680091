import type { Tx } from "@xcloudflow/database/database";
import { tenantScope } from "@xcloudflow/database/scope";
import type { MerkleHash, NodeId, NodeLookup } from "@xcloudflow/model/merkle";
import { type ExpressionBuilder, sql } from "kysely";
import type { AuditTables } from "../migrations/audit-tables.ts";
import type { AuditContext } from "./audit-context.ts";
import type { EntryFilter } from "./entry-filter.ts";

/** An entry of the log as it is stored. */
export interface StoredEntry {
  readonly index: bigint;
  readonly leaf: Uint8Array;
}

/** Newest first, all older than `before`. */
export async function queryEntries(
  { database }: AuditContext,
  tenant: string,
  filter: EntryFilter,
  limit: number,
): Promise<readonly StoredEntry[]> {
  return await database.transaction(tenantScope("audit", tenant, "query"), async (tx) => {
    let query = tx.selectFrom("audit.entries").select(["index", "leaf"]).orderBy("index", "desc").limit(limit);
    const { before, type, concern, actor, since, until } = filter;
    if (before !== undefined) query = query.where("index", "<", before);
    if (type !== undefined) query = query.where((where) => hasType(where, type));
    if (concern !== undefined) query = query.where(sql<boolean>`concerns @> ${JSON.stringify([concern])}::jsonb`);
    if (actor !== undefined) query = query.where("actor", "in", [actor, `user:${actor}`]);
    if (since !== undefined) query = query.where("time", ">=", since);
    if (until !== undefined) query = query.where("time", "<", until);
    return await query.execute();
  });
}

/** Oldest first, from an index on. */
export async function readEntries(
  { database }: AuditContext,
  tenant: string,
  from: bigint,
  limit: number,
  type?: string,
): Promise<readonly (StoredEntry & { readonly leaf_hash: Uint8Array })[]> {
  return await database.transaction(tenantScope("audit", tenant, "read"), async (tx) => {
    const query = tx
      .selectFrom("audit.entries")
      .select(["index", "leaf", "leaf_hash"])
      .where("index", ">=", from)
      .orderBy("index")
      .limit(limit);
    return await (type === undefined ? query : query.where((where) => hasType(where, type))).execute();
  });
}

/** A type, or all that begin with it at a dot. */
function hasType(where: ExpressionBuilder<AuditTables, "audit.entries">, type: string) {
  return where.or([where("type", "=", type), where("type", "like", `${type.replaceAll(/[\\%_]/g, "\\$&")}.%`)]);
}

export async function findEntry(tx: Tx<AuditTables>, by: { readonly eventId: string } | { readonly index: bigint }) {
  const query = tx.selectFrom("audit.entries").select(["index", "leaf"]);
  return await ("eventId" in by
    ? query.where("event_id", "=", by.eventId)
    : query.where("index", "=", by.index)
  ).executeTakeFirst();
}

/** Fetches complete nodes in two statements and answers from them. A node that is gone hashes as zeros: no proof passes. */
export async function loadNodes(tx: Tx<AuditTables>, needed: readonly NodeId[]): Promise<NodeLookup> {
  const nodes = new Map<string, MerkleHash>();
  const leaves = needed.filter(({ level }) => level === 0).map(({ index }) => BigInt(index));
  const inner = needed.filter(({ level }) => level > 0);
  if (leaves.length > 0) {
    const rows = await tx
      .selectFrom("audit.entries")
      .select(["index", "leaf_hash"])
      .where("index", "in", leaves)
      .execute();
    for (const { index, leaf_hash } of rows) nodes.set(`0/${index}`, leaf_hash);
  }
  if (inner.length > 0) {
    const rows = await tx
      .selectFrom("audit.nodes")
      .select(["level", "index", "hash"])
      .where((where) => where.or(inner.map(({ level, index }) => where.and({ level, index: BigInt(index) }))))
      .execute();
    for (const { level, index, hash } of rows) nodes.set(`${level}/${index}`, hash);
  }
  return ({ level, index }) => nodes.get(`${level}/${index}`) ?? new Uint8Array(32);
}
