/** Rollouts with real parts: many in a row under load with a ledger of every request, and the leader killed in each phase. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readStatus } from '../../lab/demo/cluster-view.js';
import { type LedgerSummary, startLedger, summarise } from '../../lab/demo/ledger.js';
import { seeApp } from '../../lab/demo/steps.js';
import { waitUntil } from '../../lab/demo/wait-until.js';
import { LabCluster, sixNodes } from './lab-cluster.js';

const lab = new LabCluster({ name: 'rollouts', network: '10.83.0.0/24', yaml: sixNodes('rollouts') });
const workers = ['worker001', 'worker002'];
/** A short settle time keeps twenty rollouts in the time of a test run; what is proved stays the same. */
const deploy = ['deploy', '--on', 'worker*', '-o', 'json', '--settle', '1s'];

/** Requests while `work` runs: 200/s that answer at once, 5/s that take 2 s, over kept-alive connections. */
async function underLoad(work: () => Promise<void>): Promise<LedgerSummary> {
  const ledger = startLedger(lab.url, 200, {
    slow: { path: '/slow?ms=2000', perSecond: 5, timeoutMs: 10_000 },
  });
  try {
    await work();
  } finally {
    await ledger.stop();
  }
  return summarise(await ledger.stop());
}

interface Event {
  type: string;
  [key: string]: unknown;
}

function eventsOf(output: string): Event[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Event);
}

async function leader(): Promise<string> {
  const { value } = await waitUntil('a leader', async () => {
    const { leader: name } = JSON.parse((await lab.demo.run(['status', '--json'])).stdout) as {
      leader: string;
    };
    return name !== '' && name;
  });
  return value;
}

/** The controller that holds a node's stream; empty while none does. */
async function controllerOf(node: string): Promise<string> {
  const { nodes } = JSON.parse((await lab.demo.run(['status', '--json'])).stdout) as {
    nodes: { name: string; controller: string }[];
  };
  return nodes.find(({ name }) => name === node)?.controller ?? '';
}

beforeAll(async () => {
  await lab.open();
  await lab.up();
  await seeApp(lab.demo);
});
afterAll(() => lab.close());

describe('twenty rolling deploys in a row under load', () => {
  it('fail and reset no request', async () => {
    const load = await underLoad(async () => {
      for (let round = 1; round <= 20; round++) {
        lab.wantVersion(`round-${round}`, ...workers);
        await lab.succeed(deploy);
      }
    });
    console.log(
      `${load.requests} requests, slowest ${load.slowest} ms, failed: ${JSON.stringify(load.causes)}`,
    );
    expect(load.causes).toEqual({});
    expect(load.requests).toBeGreaterThan(20 * 200);
    await lab.serves('round-20');
  });
});

describe('kill -9 of the leader', () => {
  const moments: [string, RegExp][] = [
    ['as a node is ordered', /"type":"node-ordered","node":"worker001"/],
    ['while a node drains', /"type":"node-progress","node":"worker001","phase":"draining"/],
    ['while a node activates', /"type":"node-progress","node":"worker001","phase":"activating"/],
    ['while a node proves itself', /"type":"node-progress","node":"worker002","phase":"proving"/],
    ['between two nodes', /"type":"node-moved","node":"worker001"/],
    ['as the last node was moved', /"type":"node-moved","node":"worker002"/],
  ];

  const kill = async () =>
    void (await lab.onNode(await leader(), 'systemctl', 'kill', '-s', 'KILL', 'nix-infra-controller'));

  it.each(moments)('%s: another goes on, each order is carried out once', async (moment, pattern) => {
    lab.wantVersion(`killed ${moment}`, ...workers);
    const load = await underLoad(async () => {
      const { output } = await lab.succeed(deploy, { on: { pattern, act: kill }, limitMs: 150_000 });
      const orders = eventsOf(output).filter(({ type }) => type === 'node-ordered');
      expect(orders.map(({ node }) => node).sort()).toEqual(workers);
      for (const { node, order } of orders) {
        const journal = await lab.onNode(
          String(node),
          'journalctl',
          '-u',
          'nix-infra-agent',
          '-o',
          'cat',
          '--no-pager',
        );
        const activations = journal
          .split('\n')
          .filter((line) => line.includes(`"order":"${order}"`) && line.includes('"phase":"activating"'));
        expect(activations, `activations of ${order}`).toHaveLength(1);
      }
    });
    expect(load.causes).toEqual({});
    await lab.serves(`killed ${moment}`);
    await lab.allConnected();
  });

  it('while nodes go back: another brings them all back', async () => {
    const before = await Promise.all(workers.map((node) => lab.systemOf(node)));
    lab.wantVersion('never', ...workers);
    const broken = `  systemd.services.broken = {
    wantedBy = [ "multi-user.target" ];
    serviceConfig = { Type = "oneshot"; ExecStart = "/bin/sh -c 'exit 3'"; };
  };`;
    await lab.withNix('worker002', broken, async () => {
      const act = kill;
      const outcome = await lab.attempt(deploy, {
        on: { pattern: /"type":"node-undoing"/, act },
        limitMs: 150_000,
      });
      expect(outcome.code, outcome.output).toBe(7);
      expect(eventsOf(outcome.output).find(({ type }) => type === 'ended')).toMatchObject({
        state: 'undone',
      });
    });
    expect(await Promise.all(workers.map((node) => lab.systemOf(node)))).toEqual(before);
    await lab.allConnected();
  });

  it('the agents of a control node that loses its power are with others within seconds', async () => {
    const holder = await controllerOf('worker001');
    await lab.demo.run(['lab', 'kill', holder]);
    const { ms } = await waitUntil(
      'worker001 at another controller',
      async () => {
        const now = await controllerOf('worker001').catch(() => holder);
        return now !== '' && now !== holder;
      },
      { deadlineMs: 20_000 },
    );
    console.log(`worker001 left ${holder} after ${Math.round(ms)} ms`);
    await lab.demo.run(['lab', 'start', holder]);
    await lab.allConnected();
  });

  it('another leads within 10 s', async () => {
    const former = await leader();
    // Stopped so that the unit does not come back as a candidate, and without a goodbye.
    await lab.onNode(
      former,
      'sh',
      '-c',
      'systemctl kill -s KILL nix-infra-controller; systemctl stop nix-infra-controller',
    );
    await waitUntil('another leader', async () => ![former, ''].includes(await leader()), {
      deadlineMs: 10_000,
    });
    await lab.onNode(former, 'systemctl', 'start', 'nix-infra-controller');
    await lab.allConnected();
    expect((await readStatus(lab.demo.run)).etcd.every(({ healthy }) => healthy)).toBe(true);
  });
});
