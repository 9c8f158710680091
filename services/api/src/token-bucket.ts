/** How many calls a token may make: `burst` at once, then `perSecond` on average. */
export interface RateLimit {
  readonly burst: number;
  readonly perSecond: number;
}

/** Calls left at a moment; grows with time up to the burst. */
export interface TokenBucket {
  readonly left: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export type Taken =
  | { readonly allowed: true; readonly bucket: TokenBucket }
  | { readonly allowed: false; readonly bucket: TokenBucket; readonly retryAfterMs: number };

/** Sums of fractions fall short of a whole by less than this. */
const ROUNDING = 1e-9;

/** Takes one call out of a bucket (`undefined`: a full one). A clock that goes backwards refills nothing. */
export function takeFromBucket(bucket: TokenBucket | undefined, now: number, { burst, perSecond }: RateLimit): Taken {
  const before = bucket ?? { left: burst, at: now };
  const elapsed = Math.max(0, now - before.at);
  const left = Math.min(burst, before.left + (elapsed * perSecond) / 1000);
  const at = Math.max(now, before.at);
  if (left >= 1 - ROUNDING) return { allowed: true, bucket: { left: Math.max(0, left - 1), at } };
  return { allowed: false, bucket: { left, at }, retryAfterMs: Math.ceil(((1 - ROUNDING - left) * 1000) / perSecond) };
}

/** Whether a bucket has filled up again, so that forgetting it changes nothing. */
export function isFull({ left, at }: TokenBucket, now: number, { burst, perSecond }: RateLimit): boolean {
  return left + (Math.max(0, now - at) * perSecond) / 1000 >= burst;
}
