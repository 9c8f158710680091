import type { Tx } from "@xcloudflow/database/database";
import type { MerkleHash } from "@xcloudflow/model/merkle";
import type { AuditTables } from "../migrations/audit-tables.ts";
import { decodeFrontier, type LogPosition } from "./log-position.ts";

/** An entry with every column, as it is stored. */
export interface StoredRow {
  readonly index: bigint;
  readonly event_id: string;
  readonly type: string;
  readonly actor: string;
  readonly concerns: readonly string[];
  readonly time: Date;
  readonly leaf: Uint8Array;
  readonly leaf_hash: Uint8Array;
}

/** Some entries with the nodes they complete and the checkpoints over sizes they reach. */
export interface LogPage {
  readonly rows: readonly StoredRow[];
  /** By `<level>/<index>`. */
  readonly nodes: ReadonlyMap<string, MerkleHash>;
  /** By size. */
  readonly checkpoints: ReadonlyMap<number, string>;
}

/** The log's row, and how many entries stand where the row says none can be. */
export async function readLogState(
  tx: Tx<AuditTables>,
): Promise<{ readonly position: LogPosition; readonly surplus: number } | undefined> {
  const log = await tx.selectFrom("audit.logs").selectAll().executeTakeFirst();
  const { count } = await tx
    .selectFrom("audit.entries")
    .select(({ fn }) => fn.countAll<bigint>().as("count"))
    .where("index", ">=", log?.size ?? 0n)
    .executeTakeFirstOrThrow();
  if (log === undefined && count === 0n) return undefined;
  const position = {
    origin: log?.origin ?? "gone",
    frontier: decodeFrontier(Number(log?.size ?? 0n), log?.frontier ?? new Uint8Array()),
  };
  return { position, surplus: Number(count) };
}

/** Entries from `from` to below `until`. */
export async function readLogPage(tx: Tx<AuditTables>, from: number, until: number): Promise<LogPage> {
  const rows = await tx
    .selectFrom("audit.entries")
    .select(["index", "event_id", "type", "actor", "concerns", "time", "leaf", "leaf_hash"])
    .where("index", ">=", BigInt(from))
    .where("index", "<", BigInt(until))
    .orderBy("index")
    .execute();
  const levels = Array.from({ length: Math.floor(Math.log2(until)) }, (_, place) => place + 1);
  const nodes =
    levels.length === 0
      ? []
      : await tx
          .selectFrom("audit.nodes")
          .select(["level", "index", "hash"])
          .where((where) =>
            where.or(
              levels.map((level) =>
                where.and([
                  where("level", "=", level),
                  where("index", ">=", BigInt(Math.max(0, Math.floor(from / 2 ** level) - 1))),
                  where("index", "<=", BigInt(Math.floor(until / 2 ** level))),
                ]),
              ),
            ),
          )
          .execute();
  const checkpoints = await tx
    .selectFrom("audit.checkpoints")
    .select(["size", "note"])
    .where("size", ">", BigInt(from))
    .where("size", "<=", BigInt(until))
    .execute();
  return {
    rows,
    nodes: new Map(nodes.map(({ level, index, hash }) => [`${level}/${index}`, hash])),
    checkpoints: new Map(checkpoints.map(({ size, note }) => [Number(size), note])),
  };
}
