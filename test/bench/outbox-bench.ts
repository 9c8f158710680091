// P6: an event's way from its commit over the outbox and JetStream to a subscriber, nothing lost on it: ≥ 5,000 events/s,
// and p99 ≤ 25 ms at a tenth of that. PostgreSQL with fsync and synchronous_commit on, JetStream with file storage.
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { decodeEvent, type XcfEvent } from "@xcloudflow/chassis/event";
import { createNatsSignals } from "@xcloudflow/chassis/nats-signals";
import type { OwnedDatabase } from "@xcloudflow/database/database";
import { appendEvents } from "@xcloudflow/database/outbox";
import { createRelay, type Relay } from "@xcloudflow/database/relay";
import { tenantScope } from "@xcloudflow/database/scope";
import { stateSchema } from "@xcloudflow/state/migrations/migrations";
import { sql } from "kysely";
import { requireEngine } from "../support/engines.ts";
import { type NatsBusFixture, openNatsBus } from "../support/nats.ts";
import { startNatsServer } from "../support/nats-server-cli.ts";
import { createPostgresUrl, demandDurability, openPostgres } from "../support/postgres.ts";
import { median, printFigure } from "./figures.ts";

const WRITERS = 8;
/** Of one transaction, as a decision writes a handful of events. */
const EVENTS = 25;
const MANY = 50_000;
const PACED_A_SECOND = 500;
const PACED_SECONDS = 10;
const WARM_UP = 2_000;

let count = 0;
const committedAt = new Map<string, number>();

function makeEvent(): XcfEvent {
  const data = { digest: "f".repeat(64), units: 3, summary: { create: 1, update: 2 } };
  const id = `evt_${String(count++).padStart(12, "0")}`;
  const time = new Date().toISOString();
  return {
    id,
    tenant: "bench",
    service: "state",
    noun: "lock",
    verb: "taken",
    subject: id,
    time,
    actor: "user:a",
    data,
  };
}

async function write(database: OwnedDatabase, events: number): Promise<void> {
  const written = Array.from({ length: events }, makeEvent);
  await database.transaction(tenantScope("state", "bench", "bench"), (tx) => appendEvents(tx, "state", written));
  const now = performance.now();
  for (const { id } of written) committedAt.set(id, now);
}

/** Notes when each event arrived first; whoever waits for a number of them is told. */
async function listen(bus: NatsBusFixture) {
  const arrivedAt = new Map<string, number>();
  let repeats = 0;
  let wanted: { readonly size: number; readonly resolve: () => void } | undefined;
  await bus.subscribe("xcf.event.bench.>", { durable: "bench" }, async ({ data, subject }) => {
    const { id } = decodeEvent(data, subject);
    if (arrivedAt.has(id)) repeats++;
    else arrivedAt.set(id, performance.now());
    if (wanted !== undefined && arrivedAt.size >= wanted.size) wanted.resolve();
  });
  return {
    arrivedAt,
    repeats: () => repeats,
    async until(size: number) {
      const { promise, resolve } = Promise.withResolvers<void>();
      wanted = { size, resolve };
      if (arrivedAt.size >= size) resolve();
      await promise;
    },
  };
}

async function measure(database: OwnedDatabase, relay: Relay, arrivals: Awaited<ReturnType<typeof listen>>) {
  await writeMany(database, WARM_UP);
  await arrivals.until(count);

  const started = performance.now();
  await writeMany(database, MANY);
  const written = performance.now() - started;
  await arrivals.until(count);
  const took = performance.now() - started;
  const rate = (MANY / took) * 1000;
  printFigure(
    `${MANY} events, ${WRITERS} writers, first commit → last arrival`,
    `${rate.toFixed(0)} events/s (written at ${((MANY / written) * 1000).toFixed(0)}/s)`,
    { text: "≥ 5,000 events/s", met: rate >= 5_000 },
  );

  const first = count;
  await new Promise<void>((resolve) => {
    let left = PACED_A_SECOND * PACED_SECONDS;
    const pending = new Set<Promise<void>>();
    const timer = setInterval(() => {
      const one = write(database, 1).finally(() => pending.delete(one));
      pending.add(one);
      left--;
      if (left > 0) return;
      clearInterval(timer);
      void Promise.all(pending).then(() => resolve());
    }, 1000 / PACED_A_SECOND);
  });
  await arrivals.until(count);
  await relay.flush();
  const delays = [...arrivals.arrivedAt]
    .filter(([id]) => Number(id.slice(4)) >= first)
    .map(([id, at]) => Math.max(0, at - (committedAt.get(id) ?? Number.NaN)))
    .toSorted((a, b) => a - b);
  const p99 = delays[Math.floor(delays.length * 0.99)] ?? Number.NaN;
  printFigure(
    `commit → subscriber at ${PACED_A_SECOND} transactions/s`,
    `p50 ${median(delays).toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, longest ${delays.at(-1)?.toFixed(1)} ms`,
    { text: "p99 ≤ 25 ms", met: p99 <= 25 },
  );
}

async function writeMany(database: OwnedDatabase, events: number): Promise<void> {
  let left = events / EVENTS;
  const writer = async (): Promise<void> => {
    while (left-- > 0) await write(database, EVENTS);
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
}

/** Every committed row arrived, nothing arrived that was not committed. */
async function checkGaps(database: OwnedDatabase, arrivals: Awaited<ReturnType<typeof listen>>): Promise<void> {
  const { rows } = await database.asOwner("bench.count", async (tx) => {
    await sql`set local role xcf_state_system`.execute(tx);
    return await sql<{
      id: string;
      published: boolean;
    }>`select id, published_at is not null as published from state.outbox`.execute(tx);
  });
  const missing = rows.filter(({ id }) => !arrivals.arrivedAt.has(id)).length;
  const unmarked = rows.filter(({ published }) => !published).length;
  const exact = missing === 0 && unmarked === 0 && rows.length === count && arrivals.arrivedAt.size === count;
  printFigure(
    "gap checker",
    `${rows.length} committed, ${arrivals.arrivedAt.size} arrived, ${missing} missing, ${arrivals.repeats()} repeated`,
    { text: "0 missing", met: exact },
  );
  if (!exact) process.exitCode = 1;
}

const nats = requireEngine("nats-server");
if (nats.skip === false) {
  demandDurability();
  const database = await openPostgres(await createPostgresUrl([stateSchema]));
  const server = await startNatsServer();
  const [publisher, subscriber] = [await openNatsBus(server.url), await openNatsBus(server.url)];
  const arrivals = await listen(subscriber);
  const relay = createRelay({
    database,
    bus: publisher,
    clock: createSystemClock(),
    service: "state",
    pollMs: 1_000,
    keepMs: 3_600_000,
    onError: (error) => console.error(error),
    replicas: { holder: "bench", leaseMs: 3_000, signals: createNatsSignals(publisher.connection), inFlight: 1_000 },
  });
  await relay.flush();
  await measure(database, relay, arrivals);
  await checkGaps(database, arrivals);
  await relay.close();
  await publisher.close();
  await subscriber.close();
  await database.close();
  await server.stop("SIGTERM");
} else {
  console.log(`not measured: ${nats.skip}`);
}
