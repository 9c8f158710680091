import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeEvent, EventInvalidError, encodeEvent, eventSubject, eventType, xcfEventSchema } from "./event.ts";

const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
const text = fc.string({ minLength: 1, unit: "grapheme" });
const events = fc.record(
  {
    id: text,
    tenant: text,
    service: word,
    noun: word,
    verb: word,
    subject: text,
    time: fc
      .date({ noInvalidDate: true, min: new Date(0), max: new Date("9999-12-31") })
      .map((date) => date.toISOString()),
    actor: text,
    data: fc.dictionary(
      fc.stringMatching(/^[a-z]{1,5}$/),
      fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)),
    ),
  },
  { requiredKeys: ["id", "tenant", "service", "noun", "verb", "time", "actor", "data"] },
);

test("an event survives the way over the bus", () => {
  fc.assert(
    fc.property(events, (generated) => {
      const event = xcfEventSchema.parse(generated);
      const message = encodeEvent(event);
      assert.equal(message.id, event.id);
      assert.deepEqual({ ...decodeEvent(message.data, "test") }, { ...event, data: { ...event.data } });
    }),
  );
});

test("subject and type carry tenant, service, noun and verb", () => {
  const event = { tenant: "acme.com", service: "orchestrator", noun: "step", verb: "outcome-unknown" };
  assert.equal(eventSubject(event), "xcf.event.acme=2Ecom.orchestrator.step.outcome-unknown");
  assert.equal(eventType(event), "orchestrator.step.outcome-unknown");
});

test("what is not an event of ours is refused by name and place", () => {
  const bytes = new TextEncoder().encode('{"specversion":"1.0","id":"1","type":"com.example.other"}');
  assert.throws(
    () => decodeEvent(bytes, "row 7"),
    (error) => error instanceof EventInvalidError && error.where === "row 7" && /type/.test(error.what),
  );
});

test("a number keeps its digits inside an event", () => {
  const json = `{"specversion":"1.0","id":"1","source":"/xcloudflow/state","type":"io.xcloudflow.state.serial.raised","time":"2026-01-01T00:00:00Z","datacontenttype":"application/json","xcftenant":"t","xcfactor":"user:a","data":{"serial":9007199254740993}}`;
  const again = encodeEvent(decodeEvent(new TextEncoder().encode(json), "test"));
  assert.match(new TextDecoder().decode(again.data), /"serial":9007199254740993/);
});
