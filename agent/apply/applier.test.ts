import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../test/harness/until.js';
import { systemClock } from '../clock.js';
import type { Activator } from './activator.js';
import { Applier } from './applier.js';
import type { AppsControl } from './apps-control.js';
import type { StoredResult } from './job.js';
import type { MeshGate } from './mesh-gate.js';
import { type Preparation, Rejected } from './preparation.js';
import type { Prover } from './prover.js';
import { StateFiles } from './state-files.js';
import { Turn } from './turn.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'applier-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

const desired = (order: string, change = 1) => ({
  order,
  epoch: 0,
  token: 1,
  change,
  options: undefined,
  manifest: { revision: 'r', node: 'n', files: [] },
});

/** An applier whose revisions do not build; each answer to "what runs?" is given by the test. */
function applierThat(currentSystem: () => Promise<string>) {
  const results: StoredResult[] = [];
  const made: string[] = [];
  const files = new StateFiles(dir);
  const applier = new Applier({
    configDir: join(dir, 'nixos'),
    files,
    activator: {
      currentSystem,
      bootId: async () => 'b',
      profileSystem: async () => '',
    } as Partial<Activator> as Activator,
    apps: { release: () => {}, hold: async () => true } as Partial<AppsControl> as AppsControl,
    mesh: {} as MeshGate,
    preparation: {
      make: async ({ revision }: { revision: string }) => {
        made.push(revision);
        throw new Rejected('it does not build');
      },
    } as unknown as Preparation,
    prover: {} as Prover,
    confirmation: { ask: () => {}, isConfirmed: () => false, end: () => {} },
    clock: systemClock,
    log: pino({ level: 'silent' }),
    turn: new Turn(),
    onWaiting: () => {},
    report: { progress: () => {}, result: (result) => void results.push(result) },
  });
  return { applier, files, results, made };
}

describe('an order that arrives again', () => {
  it('before its job is made up is still carried out once', async () => {
    let asked = 0;
    let answer = (_system: string) => {};
    const first = new Promise<string>((resolve) => {
      answer = resolve;
    });
    const { applier, results, made } = applierThat(() => {
      asked += 1;
      return asked === 1 ? first : Promise.resolve('/system');
    });
    applier.order(desired('o1'));
    await until('its turn', 5_000, () => asked === 1);
    applier.order(desired('o1'));
    answer('/system');
    await until('the end', 5_000, () => results.length > 0);
    // Whatever waited behind it has ended before this one.
    applier.order(desired('o2', 2));
    await until('the next', 5_000, () => results.some(({ order }) => order === 'o2'));
    expect(results.map(({ order }) => order)).toEqual(['o1', 'o2']);
    expect(made).toHaveLength(2);
  });
});

it('a job that a former release left open is dropped; what it applied stays known', async () => {
  const applied = { revision: 'r0', system: '/system' };
  for (const phase of ['switching', 'settling', 'building']) {
    writeFileSync(
      join(dir, 'job.json'),
      JSON.stringify({ revision: 'r1', phase, startedMs: 1, drained: [] }),
    );
    writeFileSync(join(dir, 'applied.json'), JSON.stringify(applied));
    const { applier, files, results } = applierThat(async () => '/system');
    await applier.recover();
    expect(existsSync(join(dir, 'job.json'))).toBe(false);
    expect(await files.applied()).toEqual(applied);
    // It is free for an order.
    applier.order(desired(`after ${phase}`));
    await until('the result', 5_000, () => results.length > 0);
    expect(results[0]).toMatchObject({ order: `after ${phase}`, outcome: 'rejected' });
  }
});

it('a fence of a release before epochs is one of the first epoch', async () => {
  writeFileSync(join(dir, 'fence.json'), JSON.stringify({ token: 10, change: 100 }));
  expect(await new StateFiles(dir).fence()).toEqual({ epoch: 0, token: 10, change: 100 });
});

it('after a restore of etcd: orders of lower revisions are taken, and the result of an old one is told again', async () => {
  writeFileSync(join(dir, 'fence.json'), JSON.stringify({ token: 10, change: 100 }));
  const { applier, files, results } = applierThat(async () => '/system');
  await applier.recover();
  applier.order({ ...desired('before', 101), token: 10 });
  await until('its end', 5_000, () => results.length === 1);
  // What the restored etcd still holds: the fence knows better.
  applier.order({ ...desired('before', 7), token: 3 });
  applier.order({ ...desired('never seen', 8), token: 3 });
  expect(results.map(({ order }) => order)).toEqual(['before', 'before']);
  applier.order({ ...desired('after', 9), token: 3, epoch: 1 });
  await until('its end', 5_000, () => results.length === 3);
  expect(results[2]?.order).toBe('after');
  expect(await files.fence()).toEqual({ epoch: 1, token: 3, change: 9 });
});
