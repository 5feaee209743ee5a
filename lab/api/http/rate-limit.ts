/** A token bucket per project, as the real API's: bursts up to the limit, then so many requests a second. */
export interface RateLimit {
  /** Size of the bucket; also what the API calls the limit per hour. */
  limit: number;
  /** Requests given back per second. */
  refillPerSecond: number;
}

export interface RateVerdict {
  allowed: boolean;
  headers: Readonly<Record<string, string>>;
}

export class RateLimiter {
  private readonly buckets = new Map<string, { left: number; at: number }>();

  constructor(private readonly rate: RateLimit) {}

  /** Takes one request out of the project's bucket; `now` in ms. */
  take(project: string, now: number): RateVerdict {
    const { limit, refillPerSecond } = this.rate;
    const bucket = this.buckets.get(project) ?? { left: limit, at: now };
    const refilled = Math.min(limit, bucket.left + ((now - bucket.at) / 1000) * refillPerSecond);
    const allowed = refilled >= 1;
    const left = allowed ? refilled - 1 : refilled;
    this.buckets.set(project, { left, at: now });
    return {
      allowed,
      headers: {
        'RateLimit-Limit': String(limit),
        'RateLimit-Remaining': String(Math.floor(left)),
        'RateLimit-Reset': String(Math.ceil(now / 1000 + (limit - left) / refillPerSecond)),
      },
    };
  }
}
