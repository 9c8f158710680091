import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isFull, type TokenBucket, takeFromBucket } from "./token-bucket.ts";

const limit = { burst: 5, perSecond: 2 };

test("allows the burst at once, then one call per interval", () => {
  let bucket: TokenBucket | undefined;
  const take = (at: number): number => {
    const taken = takeFromBucket(bucket, at, limit);
    bucket = taken.bucket;
    return taken.allowed ? 0 : taken.retryAfterMs;
  };
  assert.deepEqual([0, 0, 0, 0, 0].map(take), [0, 0, 0, 0, 0]);
  assert.equal(take(0), 500);
  assert.equal(take(499), 1);
  assert.equal(take(500), 0);
  assert.equal(take(600), 400);
});

test("never allows more than the burst and what has flowed in, whatever the clock does", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 200 }), (times) => {
      let bucket: TokenBucket | undefined;
      let allowed = 0;
      for (const time of times) {
        const taken = takeFromBucket(bucket, time, limit);
        bucket = taken.bucket;
        if (taken.allowed) allowed += 1;
      }
      const span = Math.max(0, ...times) - (times[0] ?? 0);
      assert.ok(allowed <= limit.burst + (Math.max(0, span) * limit.perSecond) / 1000 + 1e-6);
    }),
  );
});

test("waiting as long as it says is enough", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      fc.integer({ min: 1, max: 1000 }),
      (left, perSecond) => {
        const refused = takeFromBucket({ left, at: 0 }, 0, { burst: 10, perSecond });
        assert.ok(!refused.allowed);
        assert.ok(takeFromBucket(refused.bucket, refused.retryAfterMs, { burst: 10, perSecond }).allowed);
      },
    ),
  );
});

test("a bucket that has filled up again may be forgotten", () => {
  const { bucket } = takeFromBucket(undefined, 0, limit);
  assert.equal(isFull(bucket, 499, limit), false);
  assert.equal(isFull(bucket, 500, limit), true);
});
