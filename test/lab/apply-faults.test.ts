/**
 * Fault x moment for one node that applies a configuration, with real parts: after each, the node runs the right generation, boots the
 * same one, /etc/nixos agrees with it, the command said so with its own exit code, and the app was served all the time.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitUntil } from '../../lab/demo/wait-until.js';
import { expectProblem, LabCluster, sixNodes } from './lab-cluster.js';
import type { OutcomeOptions } from './outcome.js';

const lab = new LabCluster({ name: 'apply', network: '10.82.0.0/24', yaml: sixNodes('apply') });
const node = 'worker001';
const control = ['etcd001', 'etcd002', 'etcd003'];

/** Short limits, so that a fault is over in seconds; the product's own are for clouds. */
const limits = ['--confirm-timeout', '25s', '--unreachable-after', '60s'];
const deploy = ['deploy', '--on', node, '-o', 'json', ...limits];
const shortSettle = ['--settle', '3s'];

/** A configuration that differs from every other, so that there is something to activate. */
let serial = 0;
const marker = () => {
  serial += 1;
  return `  environment.etc."marker".text = "${serial}";`;
};

const service = (name: string, script: string, more = '') => `  systemd.services.${name} = {
    wantedBy = [ "multi-user.target" ];
    serviceConfig = { ${more} ExecStart = "/bin/sh -c '${script}'"; };
  };`;
const oneshot = 'Type = "oneshot"; RemainAfterExit = true;';
/** Keeps an activation going for some seconds, so that there is a middle to disturb. */
const slow = () => `${marker()}\n${service(`slow${serial}`, 'sleep 5', oneshot)}`;

/** A derivation that takes its time; node files have no pkgs. */
const slowBuild = () =>
  `derivation { name = "slow-build-${serial}"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "/bin/sleep 5; echo built > $out" ]; }`;

const during = (phase: string, act: () => Promise<void>): Pick<OutcomeOptions, 'on'> => ({
  on: { pattern: new RegExp(`"type":"node-progress","node":"${node}","phase":"${phase}"`), act },
});
const inside = (...command: string[]) => lab.onNode(node, ...command);
const machine = (verb: 'kill' | 'start' | 'cut' | 'heal') => lab.demo.run(['lab', verb, node]);
const everywhere = (...command: string[]) => Promise.all(control.map((name) => lab.onNode(name, ...command)));

async function powerCut(): Promise<void> {
  await machine('kill');
  await machine('start');
}

interface Row {
  fault: string;
  nix: () => string;
  options?: () => Promise<Pick<OutcomeOptions, 'on'>>;
  /** Other arguments than a short settle time. */
  args?: string[];
  expected: { code: number; problem?: string; says?: RegExp };
  ends: 'old' | 'new';
  after?: () => Promise<unknown>;
}

let old = '';
const onNew = () =>
  waitUntil('the new system', async () => (await lab.systemOf(node)) !== old, { deadlineMs: 60_000 });
/** There and back: asked too early, the old system would be the one of before. */
const backOnOld = async () => {
  await onNew();
  await waitUntil('the old system', async () => (await lab.systemOf(node)) === old, { deadlineMs: 60_000 });
};

const applied = { code: 0 };
const rejected = { code: 4, problem: 'apply.rejected' };
const rolledBack = { code: 7, problem: 'apply.rolled-back' };

const rows: Row[] = [
  {
    fault: 'bad syntax',
    nix: () => '  this is not nix',
    expected: { ...rejected, says: /syntax error/ },
    ends: 'old',
  },
  {
    fault: 'an unknown option',
    nix: () => '  infrastructure.no-such-option = true;',
    expected: { ...rejected, says: /no-such-option/ },
    ends: 'old',
  },
  {
    fault: 'a unit that fails',
    nix: () => service('broken', 'echo not today; exit 3', 'Type = "oneshot";'),
    expected: { ...rolledBack, says: /broken\.service[\s\S]*not today/ },
    ends: 'old',
  },
  {
    fault: 'a unit that dies after 5 s',
    nix: () => service('dying', 'sleep 5; echo that was all; exit 1'),
    // The default settle time.
    args: [],
    expected: { ...rolledBack, says: /dying\.service/ },
    ends: 'old',
  },
  {
    fault: 'an app that does not pass its check',
    nix: () => `${service('deaf', 'exec sleep 1000')}
  infrastructure.apps.deaf = {
    group = "backends";
    port = 9999;
    health = { kind = "http"; path = "/"; startGraceMs = 2000; };
  };`,
    expected: { ...rolledBack, says: /backends\/deaf/ },
    ends: 'old',
  },
  {
    fault: 'a firewall that cuts SSH and the agent',
    nix: () =>
      service(
        'wall',
        'nft add table inet wall; nft add chain inet wall out { type filter hook output priority 0 \\\\; policy drop \\\\; }; nft add rule inet wall out oif lo accept',
        `${oneshot} ExecStop = "/bin/sh -c 'nft delete table inet wall'"; Environment = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";`,
      ),
    expected: rolledBack,
    ends: 'old',
  },
  {
    fault: 'a configuration that locks everybody out of sshd',
    nix: () => '  services.openssh.extraConfig = "DenyUsers root";',
    expected: { ...rolledBack, says: /ssh/ },
    ends: 'old',
  },
  {
    fault: 'an agent that cannot start any more',
    nix: () => '  systemd.services.nix-infra-agent.serviceConfig.ExecStartPre = "/bin/false";',
    expected: rolledBack,
    ends: 'old',
  },
  {
    fault: 'the agent killed while it switches',
    nix: slow,
    options: async () =>
      during(
        'activating',
        async () => void (await inside('systemctl', 'kill', '-s', 'KILL', 'nix-infra-agent')),
      ),
    expected: applied,
    ends: 'new',
  },
  {
    fault: 'the agent killed while it proves',
    nix: marker,
    options: async () =>
      during(
        'proving',
        async () => void (await inside('systemctl', 'kill', '-s', 'KILL', 'nix-infra-agent')),
      ),
    expected: applied,
    ends: 'new',
  },
  {
    fault: 'power cut during the build',
    nix: () => `${marker()}\n  environment.etc."slow-build".source = ${slowBuild()};`,
    options: async () => ({
      on: { pattern: /"type":"planning","node":"worker001","message":"building"/, act: powerCut },
    }),
    expected: applied,
    ends: 'new',
  },
  {
    fault: 'power cut during the activation',
    nix: slow,
    options: async () => during('activating', powerCut),
    expected: rolledBack,
    ends: 'old',
  },
  {
    fault: 'power cut before the confirmation',
    nix: marker,
    options: async () => during('proving', powerCut),
    expected: rolledBack,
    ends: 'old',
  },
  {
    fault: 'a reboot before the confirmation',
    nix: marker,
    options: async () =>
      during('proving', async () => void (await inside('systemctl', '--no-block', 'reboot'))),
    expected: rolledBack,
    ends: 'old',
  },
  {
    fault: 'the network gone from the activation on',
    nix: slow,
    options: async () =>
      during('activating', async () => {
        await machine('cut');
        await backOnOld();
        await machine('heal');
      }),
    expected: rolledBack,
    ends: 'old',
  },
  {
    fault: 'the leading controller killed',
    nix: slow,
    options: async () => {
      const { stdout } = await lab.demo.run(['status', '--json']);
      const { leader } = JSON.parse(stdout) as { leader: string };
      return during(
        'activating',
        async () =>
          void (await lab.onNode(leader, 'systemctl', 'kill', '-s', 'KILL', 'nix-infra-controller')),
      );
    },
    expected: applied,
    ends: 'new',
  },
  {
    fault: 'every controller gone before the confirmation',
    nix: slow,
    options: async () =>
      during('activating', async () => {
        await everywhere('systemctl', 'stop', 'nix-infra-controller');
        await backOnOld();
        await everywhere('systemctl', 'start', 'nix-infra-controller');
      }),
    expected: rolledBack,
    ends: 'old',
  },
  {
    fault: 'etcd without quorum in the middle, and back',
    nix: slow,
    options: async () =>
      during('activating', async () => {
        const some = control.slice(1);
        await Promise.all(some.map((name) => lab.onNode(name, 'systemctl', 'stop', 'etcd')));
        await onNew();
        await Promise.all(some.map((name) => lab.onNode(name, 'systemctl', 'start', 'etcd')));
      }),
    expected: applied,
    ends: 'new',
  },
  {
    fault: 'a full disk',
    nix: marker,
    options: async () => {
      // A small disk of its own below the agent's state, full to the last byte.
      await inside(
        'sh',
        '-c',
        'systemctl stop nix-infra-agent && cp -a /var/lib/nix-infra /var/lib/keep && mount -t tmpfs -o size=8M,mode=700 tmpfs /var/lib/nix-infra && cp -a /var/lib/keep/. /var/lib/nix-infra/ && systemctl start nix-infra-agent; head -c 20M /dev/zero > /var/lib/nix-infra/fill; true',
      );
      await lab.allConnected();
      return {};
    },
    expected: { ...rejected, says: /no space left/i },
    ends: 'old',
    after: () =>
      inside(
        'sh',
        '-c',
        'systemctl stop nix-infra-agent && rm /var/lib/nix-infra/fill && rm -rf /var/lib/keep/* && cp -a /var/lib/nix-infra/. /var/lib/keep/ && umount /var/lib/nix-infra && cp -a /var/lib/keep/. /var/lib/nix-infra/ && rm -rf /var/lib/keep && systemctl start nix-infra-agent',
      ),
  },
  {
    fault: "the agent's own unit changed",
    nix: () => `${marker()}\n  systemd.services.nix-infra-agent.environment.MARKER = "${serial}";`,
    expected: applied,
    ends: 'new',
  },
  {
    fault: 'a new kernel command line',
    nix: () => `${marker()}\n  boot.kernelParams = [ "marker=${serial}" ];`,
    expected: { code: 9, problem: 'apply.needs-reboot' },
    ends: 'new',
  },
];

/** What `nixos-rebuild switch` by hand would make of /etc/nixos. */
async function systemOfFiles(): Promise<string> {
  const script = `cd "$(mktemp -d)" && nixos-rebuild build --flake /etc/nixos#${node} >/dev/null 2>&1 && readlink -f result`;
  return inside('sh', '-c', script);
}

beforeAll(async () => {
  await lab.open();
  await lab.up();
  await lab.serves('v1');
});
afterAll(() => lab.close());

describe('a node that applies', () => {
  it.each(rows)(
    '$fault: the node ends on the $ends system',
    async ({ nix, options, args, expected, ends, after }) => {
      old = await lab.systemOf(node);
      const outcome = await lab.withNix(node, nix(), async () =>
        lab.attempt([...deploy, ...(args ?? shortSettle)], { limitMs: 200_000, ...(await options?.()) }),
      );
      if (expected.problem) expectProblem(outcome, expected.problem, expected.code);
      else expect(outcome.code, outcome.output).toBe(expected.code);
      if (expected.says) expect(outcome.output).toMatch(expected.says);
      const system = await lab.systemOf(node);
      if (ends === 'old') expect(system).toBe(old);
      else expect(system).not.toBe(old);
      expect(await lab.bootDefaultOf(node)).toBe(system);
      expect(await systemOfFiles()).toBe(system);
      expect(await lab.askApp()).toContain('v1');
      await after?.();
      await lab.allConnected();
    },
  );

  it('with every cause gone, a deploy is well', async () => {
    await lab.succeed(['deploy', '--on', node]);
    await lab.succeed(['deploy', '--on', node]);
  });
});
