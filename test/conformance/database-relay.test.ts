import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { Bus, BusMessage } from "@xcloudflow/chassis/bus";
import { createSystemClock } from "@xcloudflow/chassis/clock";
import { decodeEvent, type XcfEvent } from "@xcloudflow/chassis/event";
import { createMemoryBus } from "@xcloudflow/chassis/memory-bus";
import { createSimulatedClock } from "@xcloudflow/chassis/simulated-clock";
import type { OwnedDatabase } from "@xcloudflow/database/database";
import type { ServiceSchema } from "@xcloudflow/database/migrate";
import { appendEvents, outboxTable } from "@xcloudflow/database/outbox";
import { createRelay, type Relay, type RelayOptions, type RelayReplicas } from "@xcloudflow/database/relay";
import { createRelayLease, relayTable } from "@xcloudflow/database/relay-lease";
import { findUnprotectedRelations } from "@xcloudflow/database/row-security";
import { systemScope, tenantScope } from "@xcloudflow/database/scope";
import { sql } from "kysely";
import { forEachDatabase } from "../support/databases.ts";
import { poll } from "../support/poll.ts";

const notes: ServiceSchema = {
  service: "notes",
  migrations: [
    { name: "0001-outbox", up: () => outboxTable("notes") },
    { name: "0002-outbox-relay", up: () => relayTable("notes") },
  ],
};
const MANY_YEARS_MS = 10 ** 11;

let count = 0;
function eventOf(tenant: string, text: string): XcfEvent {
  const id = `evt_${count++}`;
  return {
    id,
    tenant,
    service: "notes",
    noun: "note",
    verb: "added",
    subject: id,
    time: "2026-01-01T00:00:00.000Z",
    actor: "user:ada",
    data: { text },
  };
}

/** Writes down what it is asked to publish, and can be told to fail on a message. */
function createRecordingBus(
  fail: (message: BusMessage) => boolean = () => false,
): Bus & { readonly published: string[] } {
  const published: string[] = [];
  return {
    published,
    async publish(_subject, message) {
      if (fail(message)) throw new Error("the bus is gone");
      published.push(String(decodeEvent(message.data, message.id).data["text"]));
    },
    subscribe: () => Promise.reject(new Error("not used")),
    close: async () => undefined,
  };
}

forEachDatabase("the outbox", [notes], ({ database }) => {
  const relayTo = (bus: Bus, options: Partial<RelayOptions> = {}): Relay =>
    createRelay({
      database: database(),
      bus,
      clock: createSystemClock(),
      service: "notes",
      pollMs: MANY_YEARS_MS,
      keepMs: MANY_YEARS_MS,
      onError: () => undefined,
      ...options,
    });
  const write = (tenant: string, ...texts: string[]) =>
    database().transaction(tenantScope("notes", tenant, "add"), (tx) =>
      appendEvents(
        tx,
        "notes",
        texts.map((text) => eventOf(tenant, text)),
      ),
    );

  beforeEach(async () => {
    await emptyOutbox(database());
  });

  test("is protected like every other table", async () => {
    assert.deepEqual(await findUnprotectedRelations(database(), ["notes"]), []);
  });

  test("publishes what was committed as CloudEvents on the event's subject, woken by the commit", async () => {
    const bus = createMemoryBus({ clock: createSystemClock(), onHandlerError: () => undefined });
    const arrived = Promise.withResolvers<{ subject: string; json: unknown; id: string }>();
    await bus.subscribe("xcf.event.>", {}, async ({ subject, data, id }) =>
      arrived.resolve({ subject, id, json: JSON.parse(new TextDecoder().decode(data)) }),
    );
    const relay = relayTo(bus);
    await relay.flush();
    const event = { ...eventOf("ada.org", "hello"), data: { text: "hello", exact: "1.10" } };
    await database().transaction(tenantScope("notes", "ada.org", "add"), (tx) => appendEvents(tx, "notes", [event]));
    assert.deepEqual(await arrived.promise, {
      subject: "xcf.event.ada=2Eorg.notes.note.added",
      id: event.id,
      json: {
        specversion: "1.0",
        id: event.id,
        source: "/xcloudflow/notes",
        type: "io.xcloudflow.notes.note.added",
        subject: event.id,
        time: event.time,
        datacontenttype: "application/json",
        xcftenant: "ada.org",
        xcfactor: "user:ada",
        data: { text: "hello", exact: "1.10" },
      },
    });
    await relay.close();
    await bus.close();
  });

  test("publishes nothing of a transaction that was rolled back", async () => {
    const bus = createRecordingBus();
    const relay = relayTo(bus);
    const failing = database().transaction(tenantScope("notes", "ada", "add"), async (tx) => {
      await appendEvents(tx, "notes", [eventOf("ada", "never")]);
      throw new Error("rolled back");
    });
    await assert.rejects(failing);
    await write("ada", "kept");
    await relay.flush();
    assert.deepEqual(bus.published, ["kept"]);
    await relay.close();
  });

  test("keeps the order over many batches and tenants", async () => {
    const bus = createRecordingBus();
    const relay = relayTo(bus);
    const texts = Array.from({ length: 250 }, (_, index) => String(index));
    for (const text of texts) await write(Number(text) % 2 ? "ada" : "bob", text);
    await relay.flush();
    assert.deepEqual(bus.published, texts);
    await relay.close();
  });

  test("publishes at the start what a process that died left behind", async () => {
    await write("ada", "left behind");
    const bus = createRecordingBus();
    const relay = relayTo(bus);
    await relay.flush();
    assert.deepEqual(bus.published, ["left behind"]);
    await relay.close();
  });

  test("publishes again what it could not mark, and a bus with a memory of ids drops the repeat", async () => {
    await write("ada", "one", "two", "three");
    let failures = 1;
    const bus = createRecordingBus(
      (message) => decodeEvent(message.data, "test").data["text"] === "two" && failures-- > 0,
    );
    const errors: unknown[] = [];
    const clock = createSimulatedClock();
    const relay = relayTo(bus, { clock, pollMs: 1000, onError: (error) => errors.push(error) });
    await assert.rejects(relay.flush(), /the bus is gone/);
    assert.deepEqual(bus.published, ["one"]);
    clock.advance(1000);
    await relay.flush();
    assert.deepEqual(bus.published, ["one", "one", "two", "three"]);
    await relay.close();
  });

  test("finds another process's events by polling", async () => {
    const bus = createRecordingBus();
    const clock = createSimulatedClock();
    const published = Promise.withResolvers<void>();
    const relay = relayTo(
      { ...bus, publish: (subject, message) => bus.publish(subject, message).then(published.resolve) },
      { clock, pollMs: 1000 },
    );
    await relay.flush();
    await database().transaction(systemScope("notes", "foreign"), (tx) =>
      sql`insert into notes.outbox (tenant, id, subject, event) values ('ada', 'foreign', 'xcf.event.ada.notes.note.added', ${foreignEvent()})`.execute(
        tx,
      ),
    );
    assert.deepEqual(bus.published, []);
    clock.advance(1000);
    await published.promise;
    assert.deepEqual(bus.published, ["foreign"]);
    await relay.close();
  });

  test("forgets published events after their time, never unpublished ones", async () => {
    const clock = createSimulatedClock(new Date());
    const bus = createRecordingBus();
    const relay = relayTo(bus, { clock, keepMs: 60_000 });
    await write("ada", "old");
    await relay.flush();
    clock.advance(61_000);
    await write("ada", "new");
    await relay.flush();
    const { rows } = await database().transaction(systemScope("notes", "look"), (tx) =>
      sql<{ event: Uint8Array }>`select event from notes.outbox order by position`.execute(tx),
    );
    assert.deepEqual(
      rows.map(({ event }) => decodeEvent(event, "row").data["text"]),
      ["new"],
    );
    await relay.close();
  });

  test("two relays at once lose nothing and, with the bus's memory of ids, double nothing", async () => {
    const clock = createSystemClock();
    const bus = createMemoryBus({ clock, onHandlerError: () => undefined });
    const seen: string[] = [];
    await bus.subscribe("xcf.event.>", {}, async ({ data }) => {
      seen.push(String(decodeEvent(data, "test").data["text"]));
    });
    const relays = [relayTo(bus), relayTo(bus)];
    await Promise.all(Array.from({ length: 30 }, (_, index) => write("ada", String(index))));
    await Promise.all(relays.map((relay) => relay.flush()));
    await bus.close();
    assert.deepEqual(
      seen.map(Number).toSorted((a, b) => a - b),
      Array.from({ length: 30 }, (_, index) => index),
    );
    await Promise.all(relays.map((relay) => relay.close()));
  });
});

forEachDatabase("an outbox that replicas relay", [notes], ({ database }) => {
  const write = (...texts: string[]) =>
    database().transaction(tenantScope("notes", "ada", "add"), (tx) =>
      appendEvents(
        tx,
        "notes",
        texts.map((text) => eventOf("ada", text)),
      ),
    );

  /** A bus whose store can be lost, with what reached it in order. */
  function createLosableBus() {
    const recording = createRecordingBus();
    let store = 1;
    const bus: Bus = { ...recording, storeIdentity: async () => String(store) };
    return { bus, published: recording.published, lose: () => void store++ };
  }

  function createLocalSignals(): RelayReplicas["signals"] {
    const listeners = new Map<string, Set<() => void>>();
    return {
      send: (topic) => {
        for (const listener of listeners.get(topic) ?? []) queueMicrotask(listener);
      },
      listen(topic, listener) {
        const known = listeners.get(topic) ?? new Set();
        listeners.set(topic, known.add(listener));
        return () => void known.delete(listener);
      },
    };
  }

  function startReplica(holder: string, bus: Bus, more: Partial<RelayOptions & RelayReplicas> = {}): Relay {
    const replicas = { holder, leaseMs: 500, signals: createLocalSignals(), inFlight: 50, ...more };
    return createRelay({
      database: database(),
      bus,
      clock: createSystemClock(),
      service: "notes",
      pollMs: 50,
      keepMs: MANY_YEARS_MS,
      onError: () => undefined,
      ...more,
      replicas,
    });
  }

  beforeEach(async () => {
    await emptyOutbox(database());
    await database().transaction(systemScope("notes", "empty"), (tx) =>
      sql`delete from notes.outbox_relay`.execute(tx),
    );
  });

  test("is protected like every other table", async () => {
    assert.deepEqual(await findUnprotectedRelations(database(), ["notes"]), []);
  });

  test("three replicas publish everything once and in order, whichever of them wrote it", async () => {
    const { bus, published } = createLosableBus();
    const signals = createLocalSignals();
    const relays = ["a", "b", "c"].map((holder) => startReplica(holder, bus, { signals, leaseMs: 60_000 }));
    const texts = Array.from({ length: 200 }, (_, index) => String(index));
    for (const text of texts) await write(text);
    await poll(
      async () => published.length,
      (length) => length >= texts.length,
    );
    await Promise.all(relays.map((relay) => relay.close()));
    assert.deepEqual(published, texts);
  });

  test("one that does not relay calls the one that does, long before it would look", async () => {
    const { bus, published } = createLosableBus();
    const signals = createLocalSignals();
    const holder = startReplica("holder", bus, { signals, pollMs: MANY_YEARS_MS, leaseMs: 60_000 });
    await holder.flush();
    const other = startReplica("other", bus, { signals, pollMs: MANY_YEARS_MS, leaseMs: 60_000 });
    await other.flush();

    await database().transaction(systemScope("notes", "foreign"), (tx) =>
      sql`insert into notes.outbox (tenant, id, subject, event) values ('ada', 'foreign', 'xcf.event.ada.notes.note.added', ${foreignEvent()})`.execute(
        tx,
      ),
    );
    await other.flush();
    await poll(
      async () => published.length,
      (length) => length === 1,
    );
    await Promise.all([holder.close(), other.close()]);
  });

  test("another takes over when the one that relays is gone, at once when it said so", async () => {
    const { bus, published } = createLosableBus();
    const dead = createRelayLease(database(), "notes", createSystemClock(), { holder: "dead", durationMs: 500 });
    assert.equal(await dead.hold(), true);
    const successor = startReplica("successor", bus);
    await write("after");
    await successor.flush();
    assert.deepEqual(published, []);
    await poll(
      async () => published.length,
      (length) => length === 1,
    );
    await successor.close();
    assert.equal(
      await createRelayLease(database(), "notes", createSystemClock(), { holder: "next", durationMs: 500 }).hold(),
      true,
    );
  });

  test("what is kept is published again, once, when the bus has lost its store", async () => {
    const { bus, published, lose } = createLosableBus();
    const lost: number[] = [];
    const relay = startReplica("a", bus, { onStoreLost: (events) => lost.push(events) });
    await write("one", "two");
    await poll(
      async () => published.length,
      (length) => length === 2,
    );
    lose();
    await poll(
      async () => published.length,
      (length) => length === 4,
    );
    await relay.close();
    assert.deepEqual(published, ["one", "two", "one", "two"]);
    assert.deepEqual(lost, [2]);
    const restarted = startReplica("b", bus);
    await write("three");
    await poll(
      async () => published.length,
      (length) => length > 4,
    );
    await restarted.close();
    assert.deepEqual(published.slice(4), ["three"]);
  });

  test("a store lost while no process ran is noticed by the next", async () => {
    const { bus, published, lose } = createLosableBus();
    const first = startReplica("a", bus);
    await write("one");
    await poll(
      async () => published.length,
      (length) => length === 1,
    );
    await first.close();
    lose();
    const second = startReplica("b", bus);
    await poll(
      async () => published.length,
      (length) => length === 2,
    );
    await second.close();
  });
});

function foreignEvent(): Uint8Array {
  const event = eventOf("ada", "foreign");
  const { id, time } = event;
  const cloudEvent = {
    specversion: "1.0",
    id,
    source: "/xcloudflow/notes",
    type: "io.xcloudflow.notes.note.added",
    time,
  };
  return new TextEncoder().encode(
    JSON.stringify({
      ...cloudEvent,
      datacontenttype: "application/json",
      xcftenant: "ada",
      xcfactor: "user:ada",
      data: event.data,
    }),
  );
}

async function emptyOutbox(database: OwnedDatabase): Promise<void> {
  await database.transaction(systemScope("notes", "empty"), (tx) => sql`delete from notes.outbox`.execute(tx));
}
