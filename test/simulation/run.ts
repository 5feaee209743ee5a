/** `npm run sim`: many seeds, or one with its trace. Exit code 1 when a checker found something. */
import { parseArgs } from 'node:util';
import { type Outcome, runSeed } from './world.js';

export interface Summary {
  seeds: number;
  events: number;
  virtualMs: number;
  ends: Record<string, number>;
  struck: Record<string, number>;
  violations: Outcome[];
}

export function replayOf(seed: number): string {
  return `npm run sim -- --seed ${seed} --trace`;
}

/** Runs seeds from `first` on; stops looking after so many violations. */
export async function runSeeds(
  first: number,
  count: number,
  onViolation: (outcome: Outcome) => void = () => {},
  most = 5,
): Promise<Summary> {
  const summary: Summary = { seeds: 0, events: 0, virtualMs: 0, ends: {}, struck: {}, violations: [] };
  for (let seed = first; seed < first + count && summary.violations.length < most; seed++) {
    const outcome = await runSeed(seed);
    summary.seeds += 1;
    summary.events += outcome.events;
    summary.virtualMs += outcome.virtualMs;
    for (const [state, times] of Object.entries(outcome.ends))
      summary.ends[state] = (summary.ends[state] ?? 0) + times;
    for (const how of outcome.struck) summary.struck[how] = (summary.struck[how] ?? 0) + 1;
    if (!outcome.violation) continue;
    summary.violations.push(outcome);
    onViolation(outcome);
  }
  return summary;
}

export async function main(argv: string[]): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      seeds: { type: 'string', default: '2000' },
      from: { type: 'string', default: '1' },
      seed: { type: 'string' },
      trace: { type: 'boolean', default: false },
      most: { type: 'string', default: '5' },
    },
  });
  const print = (outcome: Outcome) => {
    const { checker, message } = outcome.violation ?? { checker: '', message: '' };
    console.log(
      `seed ${outcome.seed} VIOLATION ${message} [${checker}]\n  replay: ${replayOf(outcome.seed)}`,
    );
  };
  if (values.seed !== undefined) {
    const outcome = await runSeed(
      Number(values.seed),
      values.trace ? (line) => console.log(line) : undefined,
    );
    if (outcome.violation) print(outcome);
    console.log(JSON.stringify({ ...outcome, violation: undefined }));
    return outcome.violation ? 1 : 0;
  }
  const started = process.hrtime.bigint();
  const summary = await runSeeds(Number(values.from), Number(values.seeds), print, Number(values.most));
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  const { violations, ...numbers } = summary;
  console.log(
    JSON.stringify({ ...numbers, seconds: Math.round(seconds * 10) / 10, violations: violations.length }),
  );
  return violations.length > 0 ? 1 : 0;
}
