import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Bus, BusMessage, Delivery } from "@xcloudflow/chassis/bus";
import { BusClosedError, BusSubjectInvalidError } from "@xcloudflow/chassis/bus-errors";

/** What every implementation of the bus must do; `create` gives a fresh, empty one that delivers again within a second. */
export function describeBus(name: string, create: () => Promise<Bus>): void {
  describe(name, () => {
    let bus: Bus;
    let count = 0;
    beforeEach(async () => {
      bus = await create();
    });
    afterEach(() => bus.close());

    const message = (text: string, id = `m${count++}`): BusMessage => ({ id, data: new TextEncoder().encode(text) });

    test("delivers what matches a pattern, with subject, headers and bytes unchanged", async () => {
      const inbox = createInbox();
      await bus.subscribe("xcf.event.*.state.>", {}, inbox.receive);
      await bus.publish("xcf.event.ada.audit.entry.added", message("other service"));
      await bus.publish("xcf.event.ada.state", message("too short"));
      const headers = { "Content-Type": "application/cloudevents+json" };
      await bus.publish("xcf.event.ada.state.lock.taken", { id: "lock", data: Uint8Array.of(0, 255), headers });
      const [first] = await inbox.take(1);
      assert.ok(first);
      assert.equal(first.subject, "xcf.event.ada.state.lock.taken");
      assert.deepEqual([first.id, [...first.data], first.attempt], ["lock", [0, 255], 1]);
      assert.equal(first.headers?.["Content-Type"], "application/cloudevents+json");
    });

    test("keeps one publisher's order", async () => {
      const inbox = createInbox();
      await bus.subscribe("order.>", {}, inbox.receive);
      for (let index = 0; index < 200; index++) await bus.publish(`order.${index % 3}`, message(String(index)));
      assert.deepEqual(
        (await inbox.take(200)).map(textOf),
        Array.from({ length: 200 }, (_, index) => String(index)),
      );
    });

    test("drops a message id it has seen", async () => {
      const inbox = createInbox();
      await bus.subscribe("once", {}, inbox.receive);
      await bus.publish("once", message("first", "same"));
      await bus.publish("once", message("again", "same"));
      await bus.publish("once", message("last"));
      assert.deepEqual((await inbox.take(2)).map(textOf), ["first", "last"]);
    });

    test("delivers again what a handler failed on, counting attempts, until it succeeds", async () => {
      const attempts: number[] = [];
      const { promise, resolve } = Promise.withResolvers<void>();
      await bus.subscribe("flaky", {}, async ({ attempt }) => {
        attempts.push(attempt);
        if (attempt < 3) throw new Error("not yet");
        resolve();
      });
      await bus.publish("flaky", message("work"));
      await promise;
      assert.deepEqual(attempts, [1, 2, 3]);
    });

    test("does not hold up others behind a message that fails", async () => {
      const inbox = createInbox();
      await bus.subscribe("jobs", {}, async (delivery) => {
        if (textOf(delivery) === "poison" && delivery.attempt === 1) throw new Error("poison");
        await inbox.receive(delivery);
      });
      await bus.publish("jobs", message("poison"));
      await bus.publish("jobs", message("good"));
      assert.deepEqual((await inbox.take(2)).map(textOf), ["good", "poison"]);
    });

    test("gives each subscription without a name its own copy", async () => {
      const inboxes = [createInbox(), createInbox()];
      for (const inbox of inboxes) await bus.subscribe("news", {}, inbox.receive);
      await bus.publish("news", message("hello"));
      for (const inbox of inboxes) assert.deepEqual((await inbox.take(1)).map(textOf), ["hello"]);
    });

    test("shares a durable name's messages: each goes to exactly one", async () => {
      const inbox = createInbox();
      const share = async (delivery: Delivery): Promise<void> => await inbox.receive(delivery);
      for (let worker = 0; worker < 3; worker++) await bus.subscribe("tasks.*", { durable: "runners" }, share);
      for (let index = 0; index < 60; index++) await bus.publish("tasks.terraform", message(String(index)));
      const seen = (await inbox.take(60)).map(textOf).map(Number);
      assert.deepEqual(
        seen.toSorted((a, b) => a - b),
        Array.from({ length: 60 }, (_, index) => index),
      );
      await bus.publish("tasks.terraform", message("marker"));
      assert.deepEqual((await inbox.take(1)).map(textOf), ["marker"]);
    });

    test("keeps a durable name's messages while nobody listens", async () => {
      const before = createInbox();
      const subscription = await bus.subscribe("kept", { durable: "keeper" }, before.receive);
      await bus.publish("kept", message("first"));
      await before.take(1);
      await subscription.unsubscribe();
      await bus.publish("kept", message("second"));
      const after = createInbox();
      await bus.subscribe("kept", { durable: "keeper" }, after.receive);
      assert.deepEqual((await after.take(1)).map(textOf), ["second"]);
    });

    test("handles one message at a time per subscription", async () => {
      const inbox = createInbox();
      let running = 0;
      await bus.subscribe("serial", {}, async (delivery) => {
        running++;
        assert.equal(running, 1);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        await inbox.receive(delivery);
      });
      for (let index = 0; index < 20; index++) await bus.publish("serial", message(String(index)));
      assert.equal((await inbox.take(20)).length, 20);
    });

    test("waits for the running handler when unsubscribing, and calls it no more", async () => {
      const started = Promise.withResolvers<void>();
      const finish = Promise.withResolvers<void>();
      let handled = 0;
      const subscription = await bus.subscribe("slow", {}, async () => {
        handled++;
        started.resolve();
        await finish.promise;
      });
      await bus.publish("slow", message("one"));
      await bus.publish("slow", message("two"));
      await started.promise;
      let ended = false;
      const unsubscribed = subscription.unsubscribe().then(() => {
        ended = true;
      });
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(ended, false);
      finish.resolve();
      await unsubscribed;
      assert.equal(handled, 1);
    });

    test("refuses subjects and patterns that NATS would not take", async () => {
      for (const subject of ["", "a..b", ".a", "a.*", "a.>", "a b"]) {
        await assert.rejects(bus.publish(subject, message("x")), BusSubjectInvalidError, subject);
      }
      for (const pattern of ["", "a..b", "a.>.b", "a.b*"]) {
        await assert.rejects(
          bus.subscribe(pattern, {}, async () => undefined),
          BusSubjectInvalidError,
          pattern,
        );
      }
    });

    test("refuses work after it was closed", async () => {
      await bus.close();
      await assert.rejects(bus.publish("late", message("x")), BusClosedError);
      await assert.rejects(
        bus.subscribe("late", {}, async () => undefined),
        BusClosedError,
      );
    });
  });
}

interface Inbox {
  receive(delivery: Delivery): Promise<void>;
  /** The next `count` deliveries, once there are so many. */
  take(count: number): Promise<Delivery[]>;
}

function createInbox(): Inbox {
  const deliveries: Delivery[] = [];
  let arrived: () => void = () => undefined;
  return {
    async receive(delivery) {
      deliveries.push(delivery);
      arrived();
    },
    async take(count) {
      while (deliveries.length < count) await new Promise<void>((resolve) => (arrived = resolve));
      return deliveries.splice(0, count);
    },
  };
}

function textOf({ data }: Delivery): string {
  return new TextDecoder().decode(data);
}
