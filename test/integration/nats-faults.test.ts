import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { jetstreamManager } from "@nats-io/jetstream";
import type { BusMessage, Delivery } from "@xcloudflow/chassis/bus";
import { BusUnavailableError } from "@xcloudflow/chassis/bus-errors";
import { decodeEvent } from "@xcloudflow/chassis/event";
import { NatsStreamDiffersError } from "@xcloudflow/chassis/nats-errors";
import {
  DEFAULT_STREAM_SETTINGS,
  declareStream,
  EVENT_STREAM,
  eventStream,
  taskStream,
} from "@xcloudflow/chassis/nats-streams";
import { requireEngine } from "../support/engines.ts";
import { connectTo, type NatsBusFixture, openNatsBus } from "../support/nats.ts";
import { type NatsServer, startNatsServer } from "../support/nats-server-cli.ts";
import { poll } from "../support/poll.ts";

const SUBJECT = "xcf.event.ada.notes.note.added";

describe("what NATS does to the bus", { skip: requireEngine("nats-server").skip }, () => {
  let server: NatsServer;
  let bus: NatsBusFixture;
  let seen: string[];
  const message = (text: string): BusMessage => ({ id: text, data: new TextEncoder().encode(text) });
  const publish = (text: string) => bus.publish(SUBJECT, message(text));
  const note = async ({ data }: Delivery) => void seen.push(new TextDecoder().decode(data));
  /** As the relay does: again until the bus takes it. */
  const insist = (text: string) => persist(() => publish(text));
  const untilSeen = (...texts: string[]) =>
    poll(
      async () => seen,
      (now) => texts.every((text) => now.includes(text)),
      15_000,
    );

  beforeEach(async () => {
    seen = [];
    server = await startNatsServer();
    bus = await openNatsBus(server.url, eventStream(DEFAULT_STREAM_SETTINGS), { ackWaitMs: 1_000, parkAfter: 3 });
  });
  afterEach(async () => {
    await bus.close();
    await server.stop();
  });

  for (const durable of ["audit.log", undefined]) {
    const kind = durable === undefined ? "a subscription without a name" : "a durable subscription";

    test(`${kind} goes on after the server was killed and started again`, async () => {
      await bus.subscribe("xcf.event.>", durable === undefined ? {} : { durable }, note);
      await publish("before");
      await untilSeen("before");
      await server.stop();
      await server.start();
      await insist("after");
      await untilSeen("after");
      // A killed server may have forgotten the last acknowledgements.
      assert.deepEqual([...new Set(seen)], ["before", "after"]);
    });

    test(`${kind} goes on after the store was deleted, and repeats are published again`, async () => {
      await bus.subscribe("xcf.event.>", durable === undefined ? {} : { durable }, note);
      const identity = await bus.storeIdentity();
      await publish("before");
      await untilSeen("before");
      await server.stop();
      await server.deleteStore();
      await server.start();
      const started = Date.now();
      await insist("before");
      await insist("after");
      await untilSeen("after");
      assert.deepEqual(seen, ["before", "before", "after"]);
      assert.ok(Date.now() - started < 10_000);
      assert.notEqual(await bus.storeIdentity(), identity);
    });

    test(`${kind} goes on after somebody deleted the stream under a running server`, async () => {
      await bus.subscribe("xcf.event.>", durable === undefined ? {} : { durable }, note);
      await publish("before");
      await untilSeen("before");
      await (await jetstreamManager(bus.connection)).streams.delete(EVENT_STREAM);
      await publish("after");
      await untilSeen("after");
      // nats-server may find what it had just written again in the folder of a stream that was deleted at that moment.
      assert.deepEqual([...new Set(seen)], ["before", "after"]);
    });
  }

  test("the store's identity outlives a restart that keeps it", async () => {
    const identity = await bus.storeIdentity();
    await server.stop();
    await server.start();
    assert.equal(
      await poll(
        () => bus.storeIdentity().catch(() => ""),
        (now) => now !== "",
      ),
      identity,
    );
  });

  test("publishing to a server that is gone is a clear error, and lands once when it is back", async () => {
    await server.stop();
    await assert.rejects(publish("late"), BusUnavailableError);
    await server.start();
    await persist(() => bus.subscribe("xcf.event.>", { durable: "late" }, note));
    await insist("late");
    await insist("last");
    await untilSeen("last");
    assert.deepEqual(seen, ["late", "last"]);
  });

  test("a handler that takes longer than the ack wait gets its message once", async () => {
    const attempts: number[] = [];
    await bus.subscribe("xcf.event.>", { durable: "slow" }, async ({ attempt }) => {
      attempts.push(attempt);
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      seen.push("done");
    });
    await publish("slow");
    await publish("behind it");
    await poll(
      async () => seen.length,
      (count) => count === 2,
    );
    assert.deepEqual(attempts, [1, 1]);
  });

  test("a poison message is parked after its tries, told of, and never in the way", async () => {
    await bus.subscribe("xcf.event.>", { durable: "poison" }, async (delivery) => {
      if (new TextDecoder().decode(delivery.data) === "poison") throw new Error("cannot be handled");
      await note(delivery);
    });
    await publish("poison");
    await publish("good");
    await untilSeen("good");
    await poll(
      async () => bus.parked.length,
      (count) => count === 1,
    );
    assert.deepEqual([bus.parked[0]?.id, bus.parked[0]?.attempt], ["poison", 3]);
    const manager = await jetstreamManager(bus.connection);
    await poll(
      () => manager.consumers.info(EVENT_STREAM, "poison"),
      (info) => info.num_pending + info.num_ack_pending === 0,
    );
  });

  test("a message that is wrong in itself is parked at once", async () => {
    await bus.subscribe("xcf.event.>", {}, async (delivery) => {
      if (new TextDecoder().decode(delivery.data) === "garbage") decodeEvent(delivery.data, delivery.subject);
      await note(delivery);
    });
    await publish("garbage");
    await publish("good");
    await untilSeen("good");
    assert.deepEqual([bus.parked[0]?.id, bus.parked[0]?.attempt], ["garbage", 1]);
  });

  test("a message that keeps killing its process is parked too", async () => {
    const manager = await jetstreamManager(bus.connection);
    await publish("killer");
    for (let crash = 0; crash < 6; crash++) {
      const crashing = await openNatsBus(server.url, undefined, { ackWaitMs: 300, parkAfter: 3 });
      const received = Promise.withResolvers<void>();
      await crashing.subscribe("xcf.event.>", { durable: "crash" }, () => {
        received.resolve();
        return new Promise(() => undefined);
      });
      await received.promise;
      await crashing.connection.close();
    }
    const survivor = await openNatsBus(server.url, undefined, { ackWaitMs: 300, parkAfter: 3 });
    await survivor.subscribe("xcf.event.>", { durable: "crash" }, note);
    await poll(
      async () => survivor.parked.length,
      (count) => count === 1,
    );
    assert.deepEqual(seen, []);
    assert.equal((await manager.consumers.info(EVENT_STREAM, "crash")).num_ack_pending, 0);
    await survivor.close();
  });

  test("unsubscribing hands on what it had not begun", async () => {
    const started = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    const first = await bus.subscribe("xcf.event.>", { durable: "shared" }, async (delivery) => {
      started.resolve();
      await finish.promise;
      await note(delivery);
    });
    for (const text of ["one", "two", "three"]) await publish(text);
    await started.promise;
    const left = first.unsubscribe();
    finish.resolve();
    await left;
    await bus.subscribe("xcf.event.>", { durable: "shared" }, note);
    await untilSeen("one", "two", "three");
    assert.equal(seen.length, 3);
  });
});

async function persist(act: () => Promise<unknown>): Promise<void> {
  await poll(
    async () => {
      try {
        await act();
        return true;
      } catch (error) {
        assert.ok(error instanceof BusUnavailableError);
        return false;
      }
    },
    (done) => done,
    20_000,
  );
}

describe("declaring streams", { skip: requireEngine("nats-server").skip }, () => {
  let server: NatsServer;
  before(async () => {
    server = await startNatsServer();
  });
  after(() => server.stop());

  test("is safe at once and again, updates what may change, and refuses what may not", async () => {
    const connections = await Promise.all([0, 1, 2, 3].map(() => connectTo(server.url)));
    const managers = await Promise.all(connections.map((connection) => jetstreamManager(connection)));
    const [manager] = managers;
    assert.ok(manager);
    await Promise.all(managers.map((each) => declareStream(each, taskStream(DEFAULT_STREAM_SETTINGS))));
    await Promise.all(managers.map((each) => declareStream(each, eventStream(DEFAULT_STREAM_SETTINGS))));
    const shorter = { ...DEFAULT_STREAM_SETTINGS, eventMaxAgeMs: 3_600_000 };
    const { config, created } = await declareStream(manager, eventStream(shorter));
    assert.equal(config.max_age, 3_600_000 * 1e6);
    assert.equal((await declareStream(manager, eventStream(shorter))).created, created);
    await assert.rejects(
      declareStream(manager, eventStream({ ...DEFAULT_STREAM_SETTINGS, storage: "memory" })),
      (error) => error instanceof NatsStreamDiffersError && /storage "file"/.test(error.message),
    );
    for (const connection of connections) await connection.close();
  });
});
