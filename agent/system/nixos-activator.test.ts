import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../test/harness/until.js';
import { systemClock } from '../clock.js';
import { nixosActivator } from './nixos-activator.js';

// Stand-ins for the programs around us, so that what we ask of them is seen: this machine has no systemd to ask.
const programs = {
  'systemd-run': `#!/bin/sh
while [ "$1" != -- ]; do
  case "$1" in
    --setenv=*) export "\${1#--setenv=}" ;;
    --working-directory=*) cd "\${1#--working-directory=}" ;;
    --unit=*) unit="\${1#--unit=}" ;;
  esac
  shift
done
shift
( "$@" & echo $! >"$FAKE/$unit.pid" ) >/dev/null 2>&1`,
  systemctl: `#!/bin/sh
[ "$1" = stop ] && [ -s "$FAKE/\${2%.service}.pid" ] && kill "$(cat "$FAKE/\${2%.service}.pid")" 2>/dev/null
[ "$1" = is-active ] || exit 0
kill -0 "$(cat "$FAKE/\${2%.service}.pid")" 2>/dev/null && echo active || echo inactive`,
  'nixos-rebuild': `#!/bin/sh
echo "$@" >"$FAKE/asked"
while [ -e "$FAKE/hold" ]; do sleep 0.05; done
if [ -e "$FAKE/broken" ]; then echo "error: undefined variable 'x'" >&2; exit 1; fi
ln -sfn "$FAKE/system" result`,
  'nix-env': '#!/bin/sh\necho "nix-env $@" >>"$FAKE/order"',
  sync: '#!/bin/sh\nexit 0',
};

let dir: string;
const path = process.env.PATH;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'activator-'));
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(join(dir, name), text);
    chmodSync(join(dir, name), 0o755);
  }
  process.env.FAKE = dir;
  process.env.PATH = `${dir}:${path}`;
});
afterEach(() => {
  process.env.PATH = path;
  delete process.env.FAKE;
  rmSync(dir, { recursive: true, force: true });
});

const activator = (clock = systemClock) => nixosActivator({ stateDir: join(dir, 'state'), clock });
const ended = (one = activator()) => until('the end', 5_000, () => one.activation());

/** Time that passes by being looked at. */
function fastClock() {
  let now = 0;
  return {
    now: () => {
      throw new Error('the wall clock measures nothing');
    },
    monotonic: () => {
      now += 1_000;
      return now;
    },
    sleep: async () => {},
  };
}

function systemThat(exit: number): string {
  const system = join(dir, 'system');
  mkdirSync(join(system, 'bin'), { recursive: true });
  const program = join(system, 'bin/switch-to-configuration');
  writeFileSync(program, `#!/bin/sh\necho "switched with $1" | tee -a "$FAKE/order"\nexit ${exit}\n`);
  chmodSync(program, 0o755);
  return system;
}

/** A process that has ended may stay in the table until its parent asks for its end. */
function alive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

describe('the nixos activator', () => {
  it('builds the node of the flake and finds what came of it', async () => {
    const system = systemThat(0);
    expect(await activator().build('worker001', '/etc/nixos')).toEqual({ ok: true, system });
    expect(readFileSync(join(dir, 'asked'), 'utf8').trim()).toBe('build --flake /etc/nixos#worker001');
  });

  it('reports the words of a build that fails', async () => {
    writeFileSync(join(dir, 'broken'), '');
    expect(await activator().build('worker001', '/etc/nixos')).toEqual({
      ok: false,
      log: ["error: undefined variable 'x'"],
    });
  });

  it('ends a build that nobody waits for any more', async () => {
    writeFileSync(join(dir, 'hold'), '');
    systemThat(0);
    const stopping = new AbortController();
    const building = activator().build('worker001', '/etc/nixos', stopping.signal);
    await until('the build', 5_000, () => existsSync(join(dir, 'asked')));
    stopping.abort();
    expect(await building).toEqual({ ok: false, log: ['the build was cut off'] });
    const pid = Number(readFileSync(join(dir, 'nix-infra-build.pid'), 'utf8'));
    await until('its end', 5_000, () => !alive(pid));
    rmSync(join(dir, 'hold'));
  });

  it('activates without touching the boot default; another process can read the end', async () => {
    expect(await activator().activationBegan()).toBe(false);
    await activator().startActivation(systemThat(4), 'n1');
    expect(await ended()).toEqual({ exit: 4, log: ['switched with test'] });
    expect(await activator().activationBegan()).toBe(true);
    expect(readFileSync(join(dir, 'order'), 'utf8')).toBe('switched with test\n');
  });

  it('does not activate once a verdict stands', async () => {
    await activator().claim('n1', 'restore');
    await activator().startActivation(systemThat(0), 'n1');
    expect(await ended()).toEqual({ exit: 75, log: ['not begun: the watchdog has decided'] });
    expect(existsSync(join(dir, 'order'))).toBe(false);
    await activator().startActivation(systemThat(0), 'n2');
    expect(await ended()).toEqual({ exit: 0, log: ['switched with test'] });
  });

  it('sets the profile before the boot loader, and only when it is told to', async () => {
    const system = systemThat(0);
    await activator().commit(system);
    const profile = '/nix/var/nix/profiles/system';
    expect(readFileSync(join(dir, 'order'), 'utf8')).toBe(
      `nix-env --profile ${profile} --set ${system}\nswitched with boot\n`,
    );
    await expect(activator().commit(systemThat(1))).rejects.toThrow('switched with boot');
  });

  it('tells an activation that was cut off from one that ended', async () => {
    await activator().startActivation(systemThat(0), 'n1');
    await ended();
    await activator().forgetActivation();
    expect(await activator().activationBegan()).toBe(false);
    expect(await ended(activator(fastClock()))).toBe('cut');
  });

  it('reads what a dry activation says, and hears when there is none to read', async () => {
    expect(await activator().dryActivate(systemThat(0))).toEqual(['switched with dry-activate']);
    await expect(activator().dryActivate(systemThat(1))).rejects.toThrow('dry activation failed');
  });

  it('knows the units of a system and what its targets want', async () => {
    const units = join(dir, 's1/etc/systemd/system');
    mkdirSync(join(units, 'multi-user.target.wants'), { recursive: true });
    for (const name of ['a.service', 'b.timer', 'notes.txt']) writeFileSync(join(units, name), '');
    symlinkSync('../a.service', join(units, 'multi-user.target.wants/a.service'));
    expect(await activator().unitsOf(join(dir, 's1'))).toEqual({
      defined: ['a.service', 'b.timer'],
      wanted: ['a.service'],
    });
    expect(await activator().unitsOf('')).toEqual({ defined: [], wanted: [] });
  });
});
