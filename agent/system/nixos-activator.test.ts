import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
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
[ "$1" = is-active ] || exit 0
kill -0 "$(cat "$FAKE/\${2%.service}.pid")" 2>/dev/null && echo active || echo inactive`,
  'nixos-rebuild': `#!/bin/sh
echo "$@" >"$FAKE/asked"
if [ -e "$FAKE/broken" ]; then echo "error: undefined variable 'x'" >&2; exit 1; fi
ln -sfn "$FAKE/system" result`,
  'nix-env': '#!/bin/sh\necho "nix-env $@" >>"$FAKE/order"',
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

const activator = (clock = systemClock) => nixosActivator(join(dir, 'state'), clock);

/** Time that passes by being looked at. */
function fastClock() {
  let now = 0;
  return {
    now: () => {
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

  it('sets the profile, then switches; another process can read the end', async () => {
    const system = systemThat(4);
    await activator().startSwitch(system);
    expect(await activator().awaitSwitch()).toEqual({ exit: 4, log: ['switched with switch'] });
    const profile = '/nix/var/nix/profiles/system';
    expect(readFileSync(join(dir, 'order'), 'utf8')).toBe(
      `nix-env --profile ${profile} --set ${system}\nswitched with switch\n`,
    );
  });

  it('tells a switch that was cut off from one that ended', async () => {
    await activator().startSwitch(systemThat(0));
    await activator().awaitSwitch();
    await activator().forgetSwitch();
    expect(await activator(fastClock()).awaitSwitch()).toBeUndefined();
  });

  it('knows equal units by where their links end', async () => {
    const unitIn = (system: string, target: string) => {
      const folder = join(dir, system, 'etc/systemd/system');
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(dir, target), '');
      symlinkSync(join(dir, target), join(folder, 'a.service'));
      return join(dir, system);
    };
    const [one, two, three] = [unitIn('s1', 'store-x'), unitIn('s2', 'store-x'), unitIn('s3', 'store-y')];
    const identity = (system: string) => activator().unitIdentity(system, 'a.service');
    expect(await identity(one)).toBe(await identity(two));
    expect(await identity(one)).not.toBe(await identity(three));
    expect(await activator().unitIdentity(one, 'b.service')).toBeUndefined();
  });
});
