import { RateExceededError } from "@xcloudflow/chassis/rate-exceeded-error";
import { isFull, type RateLimit, type TokenBucket, takeFromBucket } from "./token-bucket.ts";

/** Buckets of the tokens that called lately, in this process's memory. */
export interface RateLimiter {
  /** @throws {RateExceededError} when `key` has no call left. */
  take(key: string, now: Date): void;
}

const PRUNE_AT = 10_000;

export function createRateLimiter(scope: "token" | "tenant", limit: RateLimit): RateLimiter {
  const buckets = new Map<string, TokenBucket>();
  return {
    take(key, now) {
      const time = now.getTime();
      if (buckets.size >= PRUNE_AT) forgetFull(buckets, time, limit);
      const taken = takeFromBucket(buckets.get(key), time, limit);
      buckets.set(key, taken.bucket);
      if (!taken.allowed) throw new RateExceededError(scope, taken.retryAfterMs);
    },
  };
}

function forgetFull(buckets: Map<string, TokenBucket>, now: number, limit: RateLimit): void {
  for (const [key, bucket] of buckets) if (isFull(bucket, now, limit)) buckets.delete(key);
}
