/** Pure: order statistics of samples. */

/** The smallest sample that at least this share of them does not exceed (nearest rank); 0 of none. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}
