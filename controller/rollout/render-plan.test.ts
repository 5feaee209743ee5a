import { describe, expect, it } from 'vitest';
import { renderRolloutPlan } from './render-plan.js';
import { noChanges } from './rollout.js';
import { sampleNode, sampleRollout } from './testing/sample-rollout.js';

const hello = {
  ...noChanges,
  files: [
    { path: 'app_modules/hello/default.nix', change: 'changed' as const },
    { path: 'nodes/x.nix', change: 'added' as const },
    { path: 'old.nix', change: 'removed' as const },
  ],
  restart: ['hello.service'],
  reload: ['haproxy.service'],
  packages: ['hello: 1.0 → 1.1, +12.3 KiB'],
  apps: [{ id: 'frontends/hello', action: 'restart' as const, fromVersion: 'v1', toVersion: 'v2' }],
};
const capacity = { minimums: { 'frontends/hello': 1 }, instances: { 'frontends/hello': 2 } };

describe('plan of a rollout', () => {
  it('says per wave and node what changes, and what is left of each app', () => {
    const nodes = [
      sampleNode('worker001', { changes: hello }),
      sampleNode('worker002', { wave: 1, changes: hello }),
      sampleNode('worker003', {
        wave: 1,
        changes: { ...noChanges, stop: ['a.service'], start: ['b.timer'], needsReboot: true },
        from: { revision: '', system: '/nix/store/old' },
      }),
    ];
    expect(
      renderRolloutPlan(sampleRollout(nodes, capacity)),
    ).toBe(`rollout r-20260102-030405-ab12 by dev@laptop: a new greeting
  3 nodes in 2 waves; at most 1 of a group at a time; a failure brings moved nodes back

wave 1 (canary)
  worker001      111111111111 -> aaaaaaaaaaaa
    files     ~app_modules/hello/default.nix, +nodes/x.nix, -old.nix
    units     restart hello; reload haproxy
    packages  hello: 1.0 → 1.1, +12.3 KiB
    app       frontends/hello v1 -> v2, restart
    mesh      haproxy reloads
  capacity: frontends/hello 1 of 2 while worker001 is away, minimum 1

wave 2
  worker002      111111111111 -> aaaaaaaaaaaa
    files     ~app_modules/hello/default.nix, +nodes/x.nix, -old.nix
    units     restart hello; reload haproxy
    packages  hello: 1.0 → 1.1, +12.3 KiB
    app       frontends/hello v1 -> v2, restart
    mesh      haproxy reloads
  worker003      unknown -> aaaaaaaaaaaa
    units     stop a; start b.timer
    reboot    needed: kernel, initrd or kernel command line change with the next boot
  capacity: frontends/hello 1 of 2 while worker002 is away, minimum 1
`);
  });

  it('stays short where much changes alike', () => {
    const files = Array.from({ length: 40 }, (_, at) => ({
      path: `f${at}`,
      change: at % 2 === 0 ? ('changed' as const) : ('added' as const),
    }));
    const changes = { ...hello, files };
    const text = renderRolloutPlan(
      sampleRollout(
        ['w1', 'w2', 'w3'].map((name) => sampleNode(name, { changes })),
        { ...capacity, instances: { 'frontends/hello': 3 } },
        { maxUnavailable: 2 },
      ),
    );
    expect(text).toContain('files     +20 ~20: ~f0, +f1, ~f2, +f3, ~f4, +f5 and 34 more');
    expect(text).toContain('w2             111111111111 -> aaaaaaaaaaaa   the same changes as w1');
    expect(text).toContain('capacity: frontends/hello 1 of 3 while w1, w2, w3 move, 2 at a time, minimum 1');
    const spare = { minimums: { 'frontends/hello': 2 }, instances: { 'frontends/hello': 3 } };
    const nodes = ['w1', 'w2'].map((name) => sampleNode(name, { changes }));
    expect(renderRolloutPlan(sampleRollout(nodes, spare, { maxUnavailable: 2 }))).toContain(
      'capacity: frontends/hello 2 of 3 while w1, w2 move, 1 at a time, minimum 2',
    );
    expect(text.split('\n').length).toBeLessThan(15);
  });

  it.each([
    [{ minimums: { 'frontends/hello': 2 } }, {}, 'BELOW its minimum 2: it waits for more instances'],
    [{ minimums: { 'frontends/hello': 2 } }, { force: true }, 'BELOW its minimum 2, forced'],
    [{ undoes: 'r-1' }, {}, '  undoes r-1'],
    [{}, { undo: false }, 'a failure leaves moved nodes where they are'],
    [{}, { pause: 'manual' as const }, 'waits for `rollout resume` after each wave'],
    [{}, { pause: 5_000 }, 'waits 5 s after each wave'],
  ])('%j %j says "%s"', (facts, options, expected) => {
    const rollout = sampleRollout([sampleNode('w', { changes: hello })], { ...capacity, ...facts }, options);
    expect(renderRolloutPlan(rollout)).toContain(expected);
  });

  it('is one line when nothing has to change', () => {
    expect(renderRolloutPlan(sampleRollout([]))).toMatch(/^nothing to deploy.*\n$/);
  });
});
