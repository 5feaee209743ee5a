import { describe, expect, it } from 'vitest';
import { planSwitch, type UnitSource, worthTelling } from '#switch/plan';
import { parseUnit } from '#switch/unit-file';

const nothing = { start: [], restart: [], reload: [] };
const service = (command: string, more = '') => `[Service]\nExecStart=${command}\n${more}`;

function system(units: Readonly<Record<string, string>>, targets: readonly string[] = []): UnitSource {
  return {
    read: (name) => (units[name] === undefined ? null : parseUnit(units[name])),
    targets: () => targets,
  };
}

describe('planSwitch', () => {
  it('sorts each unit into its list', () => {
    const plan = planSwitch({
      active: [
        'new.service',
        'same.service',
        'gone.service',
        'changed.service',
        'kept.service',
        'quick.service',
      ],
      before: system({
        'same.service': service('a'),
        'gone.service': service('a'),
        'changed.service': service('a'),
        'kept.service': service('a'),
        'quick.service': service('a'),
      }),
      after: system({
        'new.service': service('a'),
        'same.service': service('a'),
        'changed.service': service('b'),
        'kept.service': service('b', 'X-RestartIfChanged=false\n'),
        'quick.service': service('b', 'X-StopIfChanged=false\n'),
      }),
      unfinished: nothing,
    });
    expect(plan).toEqual({
      stop: ['changed.service', 'gone.service'],
      skip: ['kept.service'],
      reload: [],
      restart: ['quick.service'],
      start: ['changed.service'],
    });
  });

  it("leaves Debian's own units alone", () => {
    const plan = planSwitch({
      active: ['ssh.service'],
      before: system({}),
      after: system({ 'ssh.service': service('x') }),
      unfinished: nothing,
    });
    expect(plan.stop.concat(plan.start, plan.restart)).toEqual([]);
  });

  it('starts the targets that are up and want something now, and no others', () => {
    const plan = planSwitch({
      active: ['multi-user.target', 'timers.target'],
      before: system({}),
      after: system({}, ['multi-user.target', 'graphical.target']),
      unfinished: nothing,
    });
    expect(plan.start).toEqual(['multi-user.target']);
    expect(worthTelling(plan.start)).toEqual([]);
  });

  it('takes up what an interrupted switch left', () => {
    const plan = planSwitch({
      active: [],
      before: system({}),
      after: system({}),
      unfinished: { start: ['stopped.service'], restart: ['r.service'], reload: ['l.service'] },
    });
    expect(plan).toMatchObject({ start: ['stopped.service'], restart: ['r.service'], reload: ['l.service'] });
  });

  it('does not restart or reload what it starts anyway', () => {
    const plan = planSwitch({
      active: ['a.service'],
      before: system({ 'a.service': service('a') }),
      after: system({ 'a.service': service('b') }),
      unfinished: { start: [], restart: ['a.service'], reload: ['a.service'] },
    });
    expect(plan).toEqual({ stop: ['a.service'], skip: [], reload: [], restart: [], start: ['a.service'] });
  });

  it('stops and starts the socket of a socket-activated service', () => {
    const units = { 'a.socket': '[Socket]\nListenStream=1\n' };
    const plan = planSwitch({
      active: ['a.service', 'a.socket'],
      before: system({ ...units, 'a.service': service('a') }),
      after: system({ ...units, 'a.service': service('b') }),
      unfinished: nothing,
    });
    expect(plan).toMatchObject({ stop: ['a.service', 'a.socket'], start: ['a.socket'] });
  });
});
