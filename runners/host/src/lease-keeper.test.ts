import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { createSimulatedClock } from "@xcloudflow/chassis/simulated-clock";
import { HeartbeatResponseSchema } from "@xcloudflow/proto/orchestrator/v1/orchestrator_pb";
import { createLeaseKeeper, type LeaseKeeper } from "./lease-keeper.ts";

const LEASE = 30_000;

function setUp(answer: () => string | Error) {
  const clock = createSimulatedClock();
  const events: string[] = [];
  let beats = 0;
  const expires = (): string => new Date(clock.now().getTime() + LEASE).toISOString();
  const orchestrator = {
    heartbeat: async () => {
      beats += 1;
      const verdict = answer();
      if (verdict instanceof Error) throw verdict;
      return create(HeartbeatResponseSchema, { verdicts: [{ task: "t", verdict, leaseExpiresAt: expires() }] });
    },
    claimTask: () => Promise.reject(new Error("not asked here")),
    reportTask: () => Promise.reject(new Error("not asked here")),
  };
  const keeper: LeaseKeeper = createLeaseKeeper({
    worker: "w",
    orchestrator,
    clock,
    tickMilliseconds: 500,
    heartbeatMilliseconds: 3_000,
  });
  keeper.hold(
    {
      task: "t",
      attempt: 1,
      takeNews: () => ({ lines: [], progress: [] }),
      hasNews: () => false,
      cancel: () => events.push("cancel"),
      lose: () => events.push(`lose ${clock.now().getTime()}`),
    },
    new Date(expires()),
  );
  const start = clock.now().getTime();
  /** Time moves in ticks, and answers are heard in between. */
  const pass = async (milliseconds: number): Promise<void> => {
    for (let passed = 0; passed < milliseconds; passed += 500) {
      clock.advance(500);
      for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    }
  };
  return { clock, events, pass, keeper, start, beats: () => beats };
}

describe("lease keeper", () => {
  it("renews often enough to hear of a cancel, and no more", async () => {
    const { pass, events, beats } = setUp(() => "renewed");
    await pass(60_000);
    assert.deepEqual(events, []);
    assert(beats() >= 17 && beats() <= 20, `${beats()} heartbeats in a minute`);
  });

  it("passes on a cancel and goes on renewing", async () => {
    const { pass, events, beats } = setUp(() => "cancel");
    await pass(10_000);
    assert(beats() > 1);
    assert(events.every((event) => event === "cancel") && events.length > 0);
  });

  it("gives an attempt up at once when it is lost", async () => {
    const { pass, events, beats } = setUp(() => "lost");
    await pass(20_000);
    assert.equal(events.length, 1);
    assert.match(events[0] ?? "", /^lose/);
    assert.equal(beats(), 1);
  });

  it("kills before the lease runs out when nobody can be reached", async () => {
    const { pass, events, start } = setUp(() => new Error("unreachable"));
    await pass(40_000);
    assert.equal(events.length, 1);
    const at = Number(events[0]?.split(" ")[1]) - start;
    assert(at <= LEASE - 4_500 && at >= LEASE - 6_000, `killed after ${at} ms of ${LEASE}`);
  });

  it("forgets what was released", async () => {
    const { pass, keeper, events, beats } = setUp(() => "renewed");
    keeper.release("t");
    await pass(40_000);
    assert.deepEqual([events.length, beats()], [0, 0]);
  });
});
