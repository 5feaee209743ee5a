/**
 * Bad input and faults on a small cluster with real parts. Each gives one clear error with its code and a non-zero exit, leaves what
 * runs as it was, and the same command finishes the job once the cause is gone.
 *
 * The tests run in order: the first ones stand in the way of one `up`, the later ones disturb the cluster that it made.
 * A server that never boots is not here: `up` gives a server 300 s (controller/up/defaults.ts).
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { leasedNodes, readStatus } from '../../lab/demo/cluster-view.js';
import { publicUrl } from '../../lab/demo/steps.js';
import { waitUntil } from '../../lab/demo/wait-until.js';
import { expectProblem, LabCluster } from './lab-cluster.js';

const CLUSTER = `name: faults
nixos: "25.05"
provider: { kind: hetzner, image: "label:os=nixos" }
nodes:
  control: [etcd001]
  cluster: { worker001: { services: [backends, services] } }
  ingress: { ingress001: { services: [frontends] } }
`;

const lab = new LabCluster({ name: 'faults', network: '10.81.0.0/24', yaml: CLUSTER });

async function serverNames(): Promise<string[]> {
  const { stdout } = await lab.demo.run(['lab', 'status', '--json']);
  return (JSON.parse(stdout) as { servers: { name: string }[] }).servers.map(({ name }) => name).sort();
}

/** The project's .env with a token that no cloud gave out; .env stands above the environment, so that could not say it. */
function wrongTokenEnv(): string {
  const file = join(lab.scratch, 'wrong-token.env');
  const good = readFileSync(join(lab.demo.project, '.env'), 'utf8');
  writeFileSync(file, good.replace(/^HCLOUD_TOKEN=.*$/m, `HCLOUD_TOKEN=${'x'.repeat(64)}`), { mode: 0o600 });
  return file;
}

async function addFault(fault: object): Promise<void> {
  const { HCLOUD_ENDPOINT, HCLOUD_TOKEN } = lab.cloud;
  const answer = await fetch(new URL('/_lab/faults', HCLOUD_ENDPOINT), {
    method: 'POST',
    headers: { authorization: `Bearer ${HCLOUD_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify(fault),
  });
  expect(answer.ok, await answer.text()).toBe(true);
}

beforeAll(() => lab.open());
afterAll(() => lab.close());

describe('on the way up', () => {
  it('a wrong token: provider.auth, and nothing is made', async () => {
    expectProblem(await lab.attempt(['up', '--env', wrongTokenEnv()]), 'provider.auth', 1);
    expect(await serverNames()).toEqual([]);
  });

  it('a full quota: provider.quota, and nothing is made', async () => {
    const refusal = { status: 403, code: 'resource_limit_exceeded', message: 'server limit exceeded' };
    await addFault({ kind: 'request', method: 'POST', path: '/v1/servers', count: 3, ...refusal });
    expectProblem(await lab.attempt(['up']), 'provider.quota', 1);
    expect(await serverNames()).toEqual([]);
  });

  it('a host key that is not the injected one: ssh.host-key; the server can be made again', async () => {
    await addFault({ kind: 'wrong-host-key', server: 'worker001' });
    const outcome = await lab.attempt(['up']);
    expectProblem(outcome, 'ssh.host-key', 1);
    expect(outcome.output).toMatch(/node: {2}worker001/);
    expect(await serverNames()).toEqual(['etcd001', 'ingress001', 'worker001']);
    await lab.succeed(['cluster', 'destroy', '--target=worker001']);
    expect(await serverNames()).toEqual(['etcd001', 'ingress001']);
  });

  it('SIGKILL in the middle of a bootstrap: the next `up` starts there again', async () => {
    const stop = { pattern: /"step-progress","node":"etcd001"/, signal: 'SIGKILL' } as const;
    const { signal, output } = await lab.attempt(['up', '-o', 'json'], { stop });
    expect(signal, output).toBe('SIGKILL');
    expect(output).not.toMatch(/"phase-ended","phase":"control plane"/);
  });

  it('Ctrl-C in the middle of a bootstrap: interrupted, and 130', async () => {
    const stop = { pattern: /"step-progress","node":"worker001"/, signal: 'SIGINT' } as const;
    expectProblem(await lab.attempt(['up', '-o', 'json'], { stop }), 'interrupted', 130);
  });

  it('with every cause gone, `up` finishes the job', async () => {
    await lab.succeed(['up']);
    const { value: status } = await waitUntil('the app under a lease', async () => {
      const seen = await readStatus(lab.demo.run);
      return leasedNodes(seen, 'hello').join() === 'worker001' && seen;
    });
    expect(status.nodes.filter((node) => !node.connected)).toEqual([]);
    lab.url = publicUrl(status);
    await lab.serves('v1');
  });
});

describe('in a cluster that runs', () => {
  it('a wrong token: provider.auth, and the app serves', async () => {
    expectProblem(await lab.attempt(['up', '--env', wrongTokenEnv()]), 'provider.auth', 1);
    expect(await lab.askApp()).toContain('v1');
  });

  it('a Nix file that does not evaluate: apply.rejected, and the node runs what it ran', async () => {
    const before = await lab.systemOf('worker001');
    await lab.withNix('worker001', '  infrastructure.no-such-option = true;', async () => {
      const outcome = await lab.attempt(['deploy', '--on', 'worker001']);
      expectProblem(outcome, 'apply.rejected', 4);
      expect(outcome.output).toContain('no-such-option');
    });
    expect(await lab.systemOf('worker001')).toBe(before);
    expect(await lab.askApp()).toContain('v1');
    await lab.succeed(['deploy', '--on', 'worker001']);
    expect(await lab.systemOf('worker001')).toBe(before);
  });

  it('a unit that fails: apply.rolled-back names it; the node runs what it ran', async () => {
    const before = await lab.systemOf('worker001');
    const broken = `  systemd.services.broken = {
    wantedBy = [ "multi-user.target" ];
    serviceConfig = { Type = "oneshot"; ExecStart = "/bin/sh -c 'exit 3'"; };
  };`;
    await lab.withNix('worker001', broken, async () => {
      const outcome = await lab.attempt(['deploy', '--on', 'worker001']);
      expectProblem(outcome, 'apply.rolled-back', 7);
      expect(outcome.output).toContain('broken.service');
    });
    expect(await lab.askApp()).toContain('v1');
    await lab.succeed(['up']);
    expect(await lab.systemOf('worker001')).toBe(before);
    expect(
      await lab.onNode('worker001', 'systemctl', 'list-units', '--failed', '--plain', '--no-legend'),
    ).toBe('');
  });

  it('a controller that is gone: controller.unreachable, and the app serves meanwhile', async () => {
    const before = await lab.systemOf('worker001');
    lab.wantVersion('v2', 'worker001');
    await lab.onNode('etcd001', 'systemctl', 'stop', 'nix-infra-controller');
    expectProblem(await lab.attempt(['deploy']), 'controller.unreachable', 3);
    expect(await lab.askApp()).toContain('v1');
    expect(await lab.systemOf('worker001')).toBe(before);
    await lab.onNode('etcd001', 'systemctl', 'start', 'nix-infra-controller');
    await lab.succeed(['up']);
    await lab.serves('v2');
  });

  it('etcd without quorum: etcd.unavailable, and the app serves meanwhile', async () => {
    const before = await lab.systemOf('worker001');
    lab.wantVersion('v3', 'worker001');
    await lab.onNode('etcd001', 'systemctl', 'stop', 'etcd');
    expectProblem(await lab.attempt(['deploy']), 'etcd.unavailable', 3);
    expect(await lab.askApp()).toContain('v2');
    expect(await lab.systemOf('worker001')).toBe(before);
    await lab.onNode('etcd001', 'systemctl', 'start', 'etcd');
    await lab.succeed(['up']);
    await waitUntil('every agent connected', async () =>
      (await readStatus(lab.demo.run)).nodes.every((node) => node.connected),
    );
    await lab.serves('v3');
  });

  it('`down` takes it all away', async () => {
    await lab.succeed(['down', '--yes']);
    expect(await serverNames()).toEqual([]);
  });
});
