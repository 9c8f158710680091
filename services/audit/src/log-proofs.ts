import type { Tx } from "@xcloudflow/database/database";
import { tenantScope } from "@xcloudflow/database/scope";
import { signCheckpoint } from "@xcloudflow/model/checkpoint";
import {
  consistencyProof,
  inclusionProof,
  type MerkleHash,
  type NodeLookup,
  nodesNeeded,
} from "@xcloudflow/model/merkle";
import type { AuditTables } from "../migrations/audit-tables.ts";
import type { AuditContext } from "./audit-context.ts";
import { AuditEntryNotFoundError, AuditLogTamperedError, AuditQueryInvalidError } from "./audit-errors.ts";
import { findEntry, loadNodes, type StoredEntry } from "./entry-store.ts";
import { checkpointOf, contradiction, type LogPosition, verifierFor } from "./log-position.ts";
import { openLog, readCheckpoint } from "./log-store.ts";

/** A signed checkpoint with the key that verifies it, in note form. */
export interface SignedCheckpoint {
  readonly checkpoint: string;
  readonly verifierKey: string;
}

/** The signed checkpoint over all entries so far. @throws {AuditLogTamperedError} */
export async function latestCheckpoint(
  context: AuditContext,
  tenant: string,
): Promise<SignedCheckpoint & { readonly size: number }> {
  return await context.database.transaction(tenantScope("audit", tenant, "checkpoint"), async (tx) => {
    const position = await openLog(tx, context, tenant);
    return { ...(await signedAt(tx, context, tenant, position)), size: position.frontier.size };
  });
}

/**
 * One entry, the hashes that lead from it to the root, and the checkpoint with that root.
 *
 * @throws {AuditEntryNotFoundError} when there is no such entry.
 * @throws {AuditLogTamperedError} when the log's row is not the signed one.
 */
export async function proveEntry(
  context: AuditContext,
  tenant: string,
  by: { readonly eventId: string } | { readonly index: bigint },
): Promise<SignedCheckpoint & { readonly entry: StoredEntry; readonly hashes: readonly MerkleHash[] }> {
  return await context.database.transaction(tenantScope("audit", tenant, "prove"), async (tx) => {
    const position = await openLog(tx, context, tenant);
    const entry = await findEntry(tx, by);
    const { size } = position.frontier;
    if (entry === undefined || Number(entry.index) >= size)
      throw new AuditEntryNotFoundError("eventId" in by ? by.eventId : String(by.index));
    const hashes = await prove(tx, (lookup) => inclusionProof(Number(entry.index), size, lookup));
    return { ...(await signedAt(tx, context, tenant, position)), entry, hashes };
  });
}

/**
 * That the log of `first` entries is the beginning of the log of `second` (0: all so far).
 *
 * @throws {AuditQueryInvalidError} when the log has not been that long.
 */
export async function proveConsistency(
  context: AuditContext,
  tenant: string,
  first: bigint,
  second: bigint,
): Promise<readonly MerkleHash[]> {
  return await context.database.transaction(tenantScope("audit", tenant, "prove-consistency"), async (tx) => {
    const { size } = (await openLog(tx, context, tenant)).frontier;
    const until = second === 0n ? size : Number(second);
    if (until > size || first < 1n || Number(first) > until)
      throw new AuditQueryInvalidError(
        `sizes ${first} and ${until} are not sizes of this log`,
        `give two sizes from 1 to ${size}, the smaller one first`,
      );
    return await prove(tx, (lookup) => consistencyProof(Number(first), until, lookup));
  });
}

async function prove(
  tx: Tx<AuditTables>,
  compute: (lookup: NodeLookup) => readonly MerkleHash[],
): Promise<readonly MerkleHash[]> {
  return compute(await loadNodes(tx, nodesNeeded(compute)));
}

/** The stored note; an empty log has none, so that its checkpoint is signed when asked for. */
async function signedAt(
  tx: Tx<AuditTables>,
  { signingKey }: AuditContext,
  tenant: string,
  position: LogPosition,
): Promise<SignedCheckpoint> {
  const note = await readCheckpoint(tx, position.frontier.size);
  const problem = contradiction(position, note, signingKey);
  if (problem !== undefined) throw new AuditLogTamperedError(tenant, problem);
  return {
    checkpoint: note ?? signCheckpoint(checkpointOf(position), signingKey.privateKey),
    verifierKey: verifierFor(signingKey, position.origin).text,
  };
}
