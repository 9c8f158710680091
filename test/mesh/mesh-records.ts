import { jetstreamManager } from "@nats-io/jetstream";
import { EVENT_STREAM, TASK_STREAM } from "@xcloudflow/chassis/nats-streams";
import pg from "pg";
import { z } from "zod";
import type { TestMesh } from "../support/mesh.ts";
import { connectTo } from "../support/nats.ts";

/** What a mesh's database and its NATS hold, read past every service by the database's own superuser. */
export interface EventRecords {
  /** Events in the outboxes of all services. */
  readonly kept: number;
  /** Of those: not with NATS. */
  readonly unpublished: number;
  /** Of those: not in the audit log. */
  readonly unaudited: number;
}

const namesSchema = z.array(z.object({ name: z.string() }));
const countsSchema = z.tuple([z.object({ kept: z.string(), unpublished: z.string(), unaudited: z.string() })]);

export async function readEventRecords(mesh: TestMesh): Promise<EventRecords> {
  return asSuperuser(mesh, async (client) => {
    const { rows } = await client.query(
      "select table_schema as name from information_schema.tables where table_name = 'outbox' order by 1",
    );
    const outboxes = namesSchema
      .parse(rows)
      .map(({ name }) => `select id, published_at from ${pg.escapeIdentifier(name)}.outbox`)
      .join(" union all ");
    const counted = await client.query(
      `select count(*) as kept, count(*) filter (where published_at is null) as unpublished,
         count(*) filter (where not exists (select from audit.entries where event_id = id)) as unaudited
       from (${outboxes}) as events`,
    );
    const [{ kept, unpublished, unaudited }] = countsSchema.parse(counted.rows);
    return { kept: Number(kept), unpublished: Number(unpublished), unaudited: Number(unaudited) };
  });
}

/** Units of a run with an apply whose lease ran out, by the worker that had it: `apply-<host>-<pid>`. */
export async function readLostApplies(mesh: TestMesh, run: string): Promise<{ unit: string; worker: string }[]> {
  const rows = await queryMesh(
    mesh,
    `select attempt.unit, attempt.worker from orchestrator.attempt join orchestrator.task on task.id = attempt.task
     where attempt.run = $1 and attempt.outcome = 'unknown' and task.kind = 'apply'`,
    [run],
  );
  return rows.map((row) => ({ unit: String(row["unit"]), worker: String(row["worker"]) }));
}

const versionsSchema = z.array(z.record(z.string(), z.unknown()));

/** Rows of one query that tests about stale writes need. */
export async function queryMesh(
  mesh: TestMesh,
  sql: string,
  values: readonly unknown[] = [],
): Promise<z.infer<typeof versionsSchema>> {
  return asSuperuser(mesh, async (client) => versionsSchema.parse((await client.query(sql, [...values])).rows));
}

async function asSuperuser<T>({ mesh }: TestMesh, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const { ports, folder } = mesh;
  const client = new pg.Client({
    connectionString: `postgres://postgres:${folder.secrets.owner}@127.0.0.1:${ports.postgres}/xcloudflow`,
    connectionTimeoutMillis: 5_000,
  });
  // One that is lost between two questions has nothing to say.
  client.on("error", () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** What NATS has: messages of the stream of events, and pools whose workers are told of tasks. */
export async function readStreams({ mesh }: TestMesh): Promise<{ readonly events: number; readonly pools: number }> {
  const connection = await connectTo(`tls://127.0.0.1:${mesh.ports.nats}`, {
    XCF_NATS_CA: mesh.folder.caFile,
    XCF_NATS_USER: "xcf",
    XCF_NATS_PASSWORD: mesh.folder.secrets.nats,
  });
  try {
    const manager = await jetstreamManager(connection, { timeout: 2_000 });
    const events = await manager.streams.info(EVENT_STREAM);
    const tasks = await manager.streams.info(TASK_STREAM);
    return { events: events.state.messages, pools: tasks.state.consumer_count };
  } finally {
    await connection.close();
  }
}
