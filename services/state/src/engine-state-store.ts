import type { Tx } from "@xcloudflow/database/database";
import { parseAddress } from "@xcloudflow/model/address";
import { sql } from "kysely";
import type { StateTables } from "../migrations/state-tables.ts";
import type { CurrentVersion, EngineStateView, HeldLock, Writer } from "./engine-state-decision.ts";

/**
 * The unit's state as far as decisions need it, its row locked until the transaction ends. Made when it is not there.
 * Fence and current version are read by a statement of their own, after the lock is held: one that had to wait for the
 * lock would still see them as they were before.
 */
export async function lockEngineState(
  tx: Tx<StateTables>,
  unit: string,
): Promise<EngineStateView & { readonly lastVersion: bigint }> {
  const row = await lockOrMakeRow(tx, unit);
  const { rows } = await sql<VersionColumns & { readonly unit_fence: bigint | null }>`
    select (select fence from state.fences f where f.unit = ${unit}) as unit_fence, v.*
    from (select 1) one left join (
      select version, serial, lineage, digest, by_attempt, fence from state.engine_state_versions
      where unit = ${unit} and version = ${row.current_version}
    ) v on true`.execute(tx);
  const [found] = rows;
  return {
    lastVersion: row.last_version,
    fence: found?.unit_fence ?? 0n,
    current: found === undefined ? undefined : versionOf(found),
    lock: lockOf(row),
  };
}

async function lockRow(tx: Tx<StateTables>, unit: string) {
  return await tx
    .selectFrom("state.engine_states")
    .select(["last_version", "current_version", "lock_id", "lock_info", "lock_holder", "lock_fence"])
    .where("unit", "=", unit)
    .forUpdate()
    .executeTakeFirst();
}

/** Two may make it at once; the second waits for the first. A rename may take it away in between: then it is made again. */
async function lockOrMakeRow(tx: Tx<StateTables>, unit: string) {
  const { environment } = parseAddress(unit);
  for (;;) {
    const row = await lockRow(tx, unit);
    if (row !== undefined) return row;
    await tx
      .insertInto("state.engine_states")
      .values({
        unit,
        environment,
        last_version: 0n,
        current_version: null,
        lock_id: null,
        lock_info: null,
        lock_holder: null,
        lock_fence: null,
      })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

interface VersionColumns {
  readonly version: bigint | null;
  readonly serial: bigint | null;
  readonly lineage: string | null;
  readonly digest: string | null;
  readonly by_attempt: boolean | null;
  readonly fence: bigint | null;
}

function versionOf({
  version,
  serial,
  lineage,
  digest,
  by_attempt,
  fence,
}: VersionColumns): CurrentVersion | undefined {
  if (
    version === null ||
    serial === null ||
    lineage === null ||
    digest === null ||
    by_attempt === null ||
    fence === null
  )
    return undefined;
  return { version, serial, lineage, digest, byAttempt: by_attempt, fence };
}

interface LockColumns {
  readonly lock_id: string | null;
  readonly lock_info: string | null;
  readonly lock_holder: string | null;
  readonly lock_fence: bigint | null;
}

function lockOf({
  lock_id: id,
  lock_info: info,
  lock_holder: name,
  lock_fence: fence,
}: LockColumns): HeldLock | undefined {
  if (id === null || info === null || name === null) return undefined;
  return {
    id,
    info,
    holder: fence === null ? { kind: "token", name } : { kind: "attempt", name, fence, expired: false },
  };
}

export interface NewVersion {
  readonly unit: string;
  readonly version: bigint;
  readonly status: "current" | "quarantined";
  readonly serial: bigint;
  readonly lineage: string;
  readonly digest: string;
  readonly size: bigint;
  readonly blob: string;
  readonly writer: Writer;
  /** The unit's fence, for a person's write. */
  readonly fence: bigint;
  readonly now: Date;
}

/** Adds a version; a current one makes the one before it past. */
export async function insertVersion(tx: Tx<StateTables>, added: NewVersion): Promise<void> {
  const { unit, version, writer, fence, now, ...rest } = added;
  if (added.status === "current") await retireCurrent(tx, unit);
  await tx
    .insertInto("state.engine_state_versions")
    .values({
      ...rest,
      unit,
      version,
      writer: writer.name,
      by_attempt: writer.kind === "attempt",
      fence: writer.kind === "attempt" ? writer.fence : fence,
      created_at: now,
    })
    .execute();
  await tx
    .updateTable("state.engine_states")
    .set(added.status === "current" ? { last_version: version, current_version: version } : { last_version: version })
    .where("unit", "=", unit)
    .execute();
}

/** The unit has no current state any more; every version stays. */
export async function deleteCurrent(tx: Tx<StateTables>, unit: string): Promise<void> {
  await retireCurrent(tx, unit);
  await tx.updateTable("state.engine_states").set({ current_version: null }).where("unit", "=", unit).execute();
}

async function retireCurrent(tx: Tx<StateTables>, unit: string): Promise<void> {
  await tx
    .updateTable("state.engine_state_versions")
    .set({ status: "past" })
    .where("unit", "=", unit)
    .where("status", "=", "current")
    .execute();
}

/** A late write may be repeated: the same bytes by the same writer are kept aside once. */
export async function findQuarantined(
  tx: Tx<StateTables>,
  unit: string,
  digest: string,
  writer: string,
): Promise<bigint | undefined> {
  const row = await tx
    .selectFrom("state.engine_state_versions")
    .select("version")
    .where("unit", "=", unit)
    .where("status", "=", "quarantined")
    .where("digest", "=", digest)
    .where("writer", "=", writer)
    .executeTakeFirst();
  return row?.version;
}

export async function setLock(tx: Tx<StateTables>, unit: string, lock: HeldLock | undefined): Promise<void> {
  await tx
    .updateTable("state.engine_states")
    .set({
      lock_id: lock?.id ?? null,
      lock_info: lock?.info ?? null,
      lock_holder: lock?.holder.name ?? null,
      lock_fence: lock?.holder.kind === "attempt" ? lock.holder.fence : null,
    })
    .where("unit", "=", unit)
    .execute();
}

export interface StateSummary {
  readonly unit: string;
  readonly serial: bigint;
  readonly lineage: string;
  readonly version: bigint;
  readonly size: bigint;
  readonly updatedAt: Date | undefined;
  readonly lockInfo: string;
  readonly fence: bigint;
  readonly quarantined: number;
}

/** Units with a state, a lock or a quarantined version; empty `environment`: all. */
export async function listStates(tx: Tx<StateTables>, environment: string): Promise<readonly StateSummary[]> {
  const rows = await tx
    .selectFrom("state.engine_states as s")
    .leftJoin("state.engine_state_versions as v", (join) =>
      join.onRef("v.unit", "=", "s.unit").onRef("v.version", "=", "s.current_version"),
    )
    .leftJoin("state.fences as f", "f.unit", "s.unit")
    .select(["s.unit", "s.lock_info", "v.serial", "v.lineage", "v.version", "v.size", "v.created_at", "f.fence"])
    .select(
      sql<bigint>`(select count(*) from state.engine_state_versions q where q.tenant = s.tenant and q.unit = s.unit and q.status = 'quarantined')`.as(
        "quarantined",
      ),
    )
    .$if(environment !== "", (query) => query.where("s.environment", "=", environment))
    .where((where) => where.or([where("s.last_version", ">", 0n), where("s.lock_id", "is not", null)]))
    .orderBy("s.unit")
    .execute();
  return rows.map((row) => ({
    unit: row.unit,
    serial: row.serial ?? 0n,
    lineage: row.lineage ?? "",
    version: row.version ?? 0n,
    size: row.size ?? 0n,
    updatedAt: row.created_at ?? undefined,
    lockInfo: row.lock_info ?? "",
    fence: row.fence ?? 0n,
    quarantined: Number(row.quarantined),
  }));
}

export interface StateVersionSummary {
  readonly version: bigint;
  readonly serial: bigint;
  readonly lineage: string;
  readonly size: bigint;
  readonly createdAt: Date;
  readonly writer: string;
  readonly status: string;
}

/** Newest first. */
export async function listVersions(tx: Tx<StateTables>, unit: string): Promise<readonly StateVersionSummary[]> {
  const rows = await tx
    .selectFrom("state.engine_state_versions")
    .select(["version", "serial", "lineage", "size", "created_at", "writer", "status"])
    .where("unit", "=", unit)
    .orderBy("version", "desc")
    .execute();
  return rows.map(({ created_at, ...row }) => ({ ...row, createdAt: created_at }));
}

export interface StoredVersion {
  readonly version: bigint;
  readonly serial: bigint;
  readonly size: bigint;
  readonly blob: string;
}

/** The version asked for, or the current one for 0. */
export async function findVersion(
  tx: Tx<StateTables>,
  unit: string,
  version: bigint,
): Promise<StoredVersion | undefined> {
  return await tx
    .selectFrom("state.engine_state_versions")
    .select(["version", "serial", "size", "blob"])
    .where("unit", "=", unit)
    .$if(version === 0n, (query) => query.where("status", "=", "current"))
    .$if(version !== 0n, (query) => query.where("version", "=", version))
    .executeTakeFirst();
}
