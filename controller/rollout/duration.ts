/** Durations as people write and read them. */
import { Problem } from '../../shared/errors.js';

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** Milliseconds of `500ms`, `30s`, `5m` or `1h`; throws `rollout.invalid` naming the option. */
export function parseDuration(text: string, option: string): number {
  const match = /^(\d{1,9})(ms|s|m|h)$/.exec(text.trim());
  if (!match) {
    throw new Problem('rollout.invalid', `"${text}" is not a duration`, {
      where: option,
      reason: 'a duration is a whole number with its unit: 500ms, 30s, 5m or 1h',
    });
  }
  return Number(match[1]) * unitMs[match[2] as keyof typeof unitMs];
}

/** `12.3s`, `2m05s` from a minute on, `1h02m` from an hour on. */
export function formatDuration(ms: number): string {
  if (ms < 59_950) return `${(Math.max(0, ms) / 1000).toFixed(1)}s`;
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  const two = (value: number) => String(value).padStart(2, '0');
  if (minutes < 60) return `${minutes}m${two(seconds % 60)}s`;
  return `${Math.floor(minutes / 60)}h${two(minutes % 60)}m`;
}
