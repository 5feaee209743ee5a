import { describe, expect, it } from 'vitest';
import { type Action, decide } from '#switch/decide';
import { parseUnit } from '#switch/unit-file';

const base = '[Unit]\nDescription=a\n[Service]\nExecStart=/bin/a\n';

interface Row {
  is: string;
  name?: string;
  before?: string;
  /** null: gone, or a link to /dev/null. */
  after: string | null;
  hasSocket?: boolean;
  action: Action;
}

/** reference/nix-lab.md, section 7, row by row. */
const table: readonly Row[] = [
  { is: 'the same', after: base, action: 'nothing' },
  { is: 'gone', after: null, action: 'stop' },
  {
    is: 'gone, X-StopOnRemoval=false',
    before: `${base}[Unit]\nX-StopOnRemoval=false\n`,
    after: null,
    action: 'nothing',
  },
  { is: 'only [Install]', after: `${base}[Install]\nWantedBy=x.target\n`, action: 'nothing' },
  ...[
    'Description',
    'Documentation',
    'OnFailure',
    'OnSuccess',
    'OnFailureJobMode',
    'IgnoreOnIsolate',
    'StopWhenUnneeded',
  ].map(
    (setting): Row => ({ is: `only ${setting}`, after: `${base}[Unit]\n${setting}=x\n`, action: 'nothing' }),
  ),
  ...['AllowIsolate', 'CollectMode', 'SourcePath', 'RefuseManualStart'].map(
    (setting): Row => ({ is: `only ${setting}`, after: `${base}[Unit]\n${setting}=x\n`, action: 'nothing' }),
  ),
  { is: 'only a comment', after: `# new\n${base}`, action: 'nothing' },
  {
    is: 'only the order of sections',
    after: '[Service]\nExecStart=/bin/a\n[Unit]\nDescription=a\n',
    action: 'nothing',
  },
  { is: 'only X-Reload-Triggers', after: `${base}[Unit]\nX-Reload-Triggers=/x\n`, action: 'reload' },
  {
    is: 'X-Reload-Triggers that go',
    before: `${base}[Unit]\nX-Reload-Triggers=/x\n`,
    after: base,
    action: 'nothing',
  },
  {
    is: 'X-Reload-Triggers and ExecStart',
    after: '[Unit]\nX-Reload-Triggers=/x\n[Service]\nExecStart=/bin/b\n',
    action: 'stop-start',
  },
  { is: 'only ExecReload', after: `${base}[Service]\nExecReload=/bin/r\n`, action: 'reload' },
  { is: 'ExecReload that goes', before: `${base}ExecReload=/bin/r\n`, after: base, action: 'stop-start' },
  { is: 'X-Restart-Triggers', after: `${base}[Unit]\nX-Restart-Triggers=/x\n`, action: 'stop-start' },
  { is: 'ExecStart', after: '[Unit]\nDescription=a\n[Service]\nExecStart=/bin/b\n', action: 'stop-start' },
  { is: 'one more line of a list', after: `${base}ExecStart=/bin/b\n`, action: 'stop-start' },
  { is: 'X-ReloadIfChanged', after: `${base}X-ReloadIfChanged=true\nUser=x\n`, action: 'reload' },
  { is: 'X-RestartIfChanged=false', after: `${base}X-RestartIfChanged=false\nUser=x\n`, action: 'skip' },
  { is: 'RefuseManualStop', after: `${base}User=x\n[Unit]\nRefuseManualStop=true\n`, action: 'skip' },
  { is: 'X-OnlyManualStart', after: `${base}User=x\n[Unit]\nX-OnlyManualStart=true\n`, action: 'skip' },
  { is: 'X-StopIfChanged=false', after: `${base}X-StopIfChanged=false\nUser=x\n`, action: 'restart' },
  { is: 'a service with a socket', after: `${base}User=x\n`, hasSocket: true, action: 'stop-start-socket' },
  {
    is: 'a service with a socket, X-NotSocketActivated',
    after: `${base}X-NotSocketActivated=true\n`,
    hasSocket: true,
    action: 'stop-start',
  },
  { is: 'a timer', name: 'a.timer', after: `${base}User=x\n`, action: 'restart' },
  {
    is: 'a mount, only its options',
    name: 'mnt.mount',
    before: '[Mount]\nOptions=ro\n',
    after: '[Mount]\nOptions=rw\n',
    action: 'reload',
  },
  {
    is: 'a mount, its device',
    name: 'mnt.mount',
    before: '[Mount]\nWhat=a\n',
    after: '[Mount]\nWhat=b\n',
    action: 'restart',
  },
  {
    is: 'the root mount',
    name: '-.mount',
    before: '[Mount]\nWhat=a\n',
    after: '[Mount]\nWhat=b\n',
    action: 'nothing',
  },
  ...['a.slice', 'a.path', 'a.socket'].map(
    (name): Row => ({ is: `${name}`, name, after: `${base}User=x\n`, action: 'nothing' }),
  ),
  { is: 'a target, the same', name: 'a.target', after: base, action: 'start' },
  { is: 'a target, changed', name: 'a.target', after: `${base}[Unit]\nWants=x.service\n`, action: 'start' },
  {
    is: 'a target, RefuseManualStart',
    name: 'a.target',
    after: `${base}[Unit]\nRefuseManualStart=yes\n`,
    action: 'nothing',
  },
  {
    is: 'a target, X-OnlyManualStart',
    name: 'a.target',
    after: `${base}[Unit]\nX-OnlyManualStart=true\n`,
    action: 'nothing',
  },
  {
    is: 'a target, X-StopOnReconfiguration',
    name: 'a.target',
    after: `${base}[Unit]\nX-StopOnReconfiguration=1\n`,
    action: 'stop-start-target',
  },
];

describe('decide', () => {
  it.each(table)(
    '$is: $action',
    ({ name = 'a.service', before = base, after, hasSocket = false, action }) => {
      const unit = {
        name,
        before: parseUnit(before),
        after: after === null ? null : parseUnit(after),
        hasSocket,
      };
      expect(decide(unit)).toBe(action);
    },
  );
});
