import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decideLock, decideUnlock } from "./engine-lock-decision.ts";
import {
  type CurrentVersion,
  decideDelete,
  decideRecovery,
  decideWrite,
  type EngineStateView,
  type HeldLock,
  type Writer,
} from "./engine-state-decision.ts";

const human: Writer = { kind: "token", name: "user:ada" };
const attempt = (fence: number, expired = false): Extract<Writer, { kind: "attempt" }> => ({
  kind: "attempt",
  name: `attempt:${fence}`,
  fence: BigInt(fence),
  expired,
});
const lockOf = (id: string, holder: Writer): HeldLock => ({ id, info: `{"ID":"${id}"}`, holder });
const versionOf = (serial: number, by: Partial<CurrentVersion> = {}): CurrentVersion => ({
  version: 1n,
  serial: BigInt(serial),
  lineage: "l",
  digest: `d${serial}`,
  byAttempt: true,
  fence: 1n,
  ...by,
});
const viewOf = (view: Partial<EngineStateView> = {}): EngineStateView => ({
  fence: 0n,
  current: undefined,
  lock: undefined,
  ...view,
});

interface Model {
  fence: bigint;
  current: CurrentVersion | undefined;
  lock: HeldLock | undefined;
}

const writers = fc.oneof(
  fc.constant(human),
  fc
    .record({ fence: fc.integer({ min: 1, max: 4 }), expired: fc.boolean() })
    .map(({ fence, expired }) => attempt(fence, expired)),
);
const lockIds = fc.constantFrom("a", "b", "c");
const commands = fc.oneof(
  fc.record({ do: fc.constant("raise" as const), fence: fc.bigInt({ min: 1n, max: 4n }) }),
  fc.record({ do: fc.constant("lock" as const), writer: writers, id: lockIds }),
  fc.record({ do: fc.constant("unlock" as const), writer: writers, id: fc.option(lockIds, { nil: undefined }) }),
  fc.record({ do: fc.constant("delete" as const), writer: writers, lockId: fc.option(lockIds, { nil: undefined }) }),
  fc.record({
    do: fc.constant("write" as const),
    writer: writers,
    lockId: fc.option(lockIds, { nil: undefined }),
    serial: fc.bigInt({ min: 0n, max: 5n }),
    lineage: fc.constantFrom("l", "m"),
    digest: fc.constantFrom("x", "y"),
  }),
);

test("whatever order of events: history only grows, and only by who holds the lock and the fence", () => {
  fc.assert(
    fc.property(fc.array(commands, { maxLength: 40 }), (events) => {
      const model: Model = { fence: 0n, current: undefined, lock: undefined };
      for (const event of events) {
        const before = { ...model };
        step(model, event);
        if (event.do === "raise") continue;
        const { writer } = event;
        const late = writer.kind === "attempt" && (writer.expired || writer.fence < before.fence);
        const changed = model.current !== before.current || model.lock !== before.lock;
        assert.ok(!(late && changed), "a late attempt changes nothing");
        if (model.current !== before.current && before.lock !== undefined) {
          assert.equal(event.do === "lock" || event.do === "unlock" ? undefined : event.lockId, before.lock.id);
          assert.equal(writer.kind, before.lock.holder.kind);
        }
        if (model.current !== undefined && before.current !== undefined && model.current !== before.current) {
          assert.equal(model.current.lineage, before.current.lineage);
          assert.ok(model.current.serial > before.current.serial);
        }
        if (before.lock?.holder.kind === "token" && model.lock !== before.lock)
          assert.equal(writer.kind, "token", "a person's lock is a person's to give up");
      }
    }),
    { numRuns: 2_000 },
  );
});

type Event = typeof commands extends fc.Arbitrary<infer T> ? T : never;

/** What the service does with a decision, in memory. */
function step(model: Model, event: Event): void {
  switch (event.do) {
    case "raise":
      if (event.fence > model.fence) model.fence = event.fence;
      return;
    case "lock": {
      const { outcome } = decideLock(model, event);
      if (outcome === "grant" || outcome === "take-over") model.lock = lockOf(event.id, event.writer);
      return;
    }
    case "unlock": {
      const { outcome } = decideUnlock(model, event);
      if (outcome === "release" || outcome === "break") model.lock = undefined;
      return;
    }
    case "delete":
      if (decideDelete(model, event) === undefined) model.current = undefined;
      return;
    case "write": {
      if (decideWrite(model, event).outcome !== "accept") return;
      const { serial, lineage, digest, writer } = event;
      model.current = {
        version: (model.current?.version ?? 0n) + 1n,
        serial,
        lineage,
        digest,
        byAttempt: writer.kind === "attempt",
        fence: writer.kind === "attempt" ? writer.fence : model.fence,
      };
    }
  }
}

test("a recovered state is accepted only as the next step of the dead attempt's own history", () => {
  const found = { serial: 5n, lineage: "l", digest: "d5", writer: attempt(3), deadFence: 2n };
  const outcome = (view: Partial<EngineStateView>, over: Partial<typeof found> = {}) =>
    decideRecovery(viewOf({ fence: 3n, ...view }), { ...found, ...over }).outcome;
  assert.equal(outcome({ current: versionOf(4, { fence: 2n }) }), "accept", "the dead attempt wrote last");
  assert.equal(outcome({ current: versionOf(4, { fence: 1n }) }), "accept", "an earlier attempt wrote last");
  assert.equal(outcome({}), "accept", "nobody has written yet");
  assert.equal(outcome({ current: versionOf(5, { fence: 3n }) }), "unchanged", "it is there already");
  assert.equal(outcome({ current: versionOf(4, { fence: 3n }) }), "quarantine", "another attempt has written since");
  assert.equal(
    outcome({ current: versionOf(4, { fence: 2n, byAttempt: false }) }),
    "quarantine",
    "a person has written since",
  );
  assert.equal(
    outcome({ current: versionOf(4, { fence: 1n, byAttempt: false }) }),
    "accept",
    "a person wrote before the attempt began",
  );
  assert.equal(
    outcome({ current: versionOf(5, { fence: 2n, digest: "else" }) }),
    "quarantine",
    "the serial is not higher",
  );
  assert.equal(outcome({ current: versionOf(4, { fence: 2n, lineage: "m" }) }), "quarantine", "the lineage is another");
  assert.equal(outcome({ fence: 4n, current: versionOf(4, { fence: 2n }) }), "quarantine", "the finder itself is late");
  assert.equal(
    outcome({ current: versionOf(4, { fence: 2n }) }, { deadFence: 4n }),
    "quarantine",
    "an attempt cannot come from the future",
  );
  assert.equal(outcome({ lock: lockOf("h", human) }), "quarantine", "a person holds the lock");
  assert.equal(outcome({ lock: lockOf("d", attempt(2)) }), "accept", "the dead attempt's own lock is no obstacle");
});

test("a repeated write of what is current is no error, not even for a late attempt", () => {
  const current = versionOf(4);
  const same = { serial: 4n, lineage: "l", digest: "d4", lockId: undefined };
  assert.deepEqual(decideWrite(viewOf({ current, fence: 9n }), { ...same, writer: attempt(1) }), {
    outcome: "unchanged",
    version: 1n,
  });
  assert.deepEqual(decideWrite(viewOf({ current }), { ...same, writer: human }), { outcome: "unchanged", version: 1n });
  assert.equal(
    decideWrite(viewOf({ current, lock: lockOf("a", human) }), { ...same, writer: human, lockId: "b" }).outcome,
    "refuse",
  );
});
