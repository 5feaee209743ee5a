/**
 * Bad input and faults on a small cluster with real parts. Each gives one clear error with its code and a non-zero exit, leaves what
 * runs as it was, and the same command finishes the job once the cause is gone.
 *
 * The tests run in order: the first ones stand in the way of one `up`, the later ones disturb the cluster that it made.
 * A server that never boots is not here: `up` gives a server 300 s (controller/up/defaults.ts).
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { leasedNodes, readStatus } from '../../lab/demo/cluster-view.js';
import { commandRunner } from '../../lab/demo/command.js';
import { type Demo, makeProject, publicUrl, startLab } from '../../lab/demo/steps.js';
import { waitUntil } from '../../lab/demo/wait-until.js';
import { repoRoot } from '../../lab/repo-root.js';
import { type Outcome, type OutcomeOptions, outcomeOf, problemCodes } from './outcome.js';

const CLUSTER = `name: faults
nixos: "25.05"
provider: { kind: hetzner, image: "label:os=nixos" }
nodes:
  control: [etcd001]
  cluster: { worker001: { services: [backends, services] } }
  ingress: { ingress001: { services: [frontends] } }
`;

// A lab of its own beside those of a person and of the other lab tests.
process.env.NIX_INFRA_LAB_DIR = '/var/lib/nix-infra-lab-faults';
process.env.NIX_INFRA_LAB_NETWORK = '10.81.0.0/24';

const root = repoRoot();
const scratch = mkdtempSync(join(tmpdir(), 'nix-infra-faults-'));
const say = (line: string) => console.log(line);
let demo: Demo;
let cloud: Record<string, string>;
let url: string;

const attempt = (args: readonly string[], options: Omit<OutcomeOptions, 'cwd'> = {}): Promise<Outcome> =>
  outcomeOf(root, args, { cwd: demo.project, ...options });

/** The command ends with this exit code and tells this problem, and no other. */
function expectProblem({ code, output }: Outcome, problem: string, exit: number): void {
  expect({ problems: problemCodes(output), code }, output).toEqual({ problems: [problem], code: exit });
  expect(output).toMatch(/^ {2}next: {2}\S/m);
}

async function succeed(args: readonly string[]): Promise<void> {
  const { code, output } = await attempt(args);
  expect(code, output).toBe(0);
}

/** From the console of the machine: works without SSH and without a controller. */
async function onNode(node: string, ...command: string[]): Promise<string> {
  return (await demo.run(['lab', 'exec', node, ...command])).stdout.trim();
}

const systemOf = (node: string) => onNode(node, 'readlink', '-f', '/run/current-system');

async function serverNames(): Promise<string[]> {
  const { stdout } = await demo.run(['lab', 'status', '--json']);
  return (JSON.parse(stdout) as { servers: { name: string }[] }).servers.map(({ name }) => name).sort();
}

/** The project's .env with a token that no cloud gave out; .env stands above the environment, so that could not say it. */
function wrongTokenEnv(): string {
  const file = join(scratch, 'wrong-token.env');
  const good = readFileSync(join(demo.project, '.env'), 'utf8');
  writeFileSync(file, good.replace(/^HCLOUD_TOKEN=.*$/m, `HCLOUD_TOKEN=${'x'.repeat(64)}`), { mode: 0o600 });
  return file;
}

async function addFault(fault: object): Promise<void> {
  const answer = await fetch(new URL('/_lab/faults', cloud.HCLOUD_ENDPOINT), {
    method: 'POST',
    headers: { authorization: `Bearer ${cloud.HCLOUD_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify(fault),
  });
  expect(answer.ok, await answer.text()).toBe(true);
}

/** What the outside world gets; throws when it is not the app. */
async function askApp(): Promise<string> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) });
  const text = await answer.text();
  expect(answer.status, text).toBe(200);
  return text;
}

/** A version of the app that waits to be deployed: a fault must not let it through, and the way back must deploy it. */
function wantVersion(version: string): void {
  const file = join(demo.project, 'nodes/worker001.nix');
  const text = readFileSync(file, 'utf8').replace(/version = "[^"]*"/, `version = "${version}"`);
  expect(text).toContain(`version = "${version}"`);
  writeFileSync(file, text);
}

const serves = (version: string) =>
  waitUntil(`an answer of ${version}`, async () => (await askApp()).includes(`"${version}"`));

/** Runs `work` with other text at the end of a node's file, and puts the old text back. */
async function withNix(node: string, lines: string, work: () => Promise<void>): Promise<void> {
  const file = join(demo.project, 'nodes', `${node}.nix`);
  const good = readFileSync(file, 'utf8');
  writeFileSync(file, good.replace(/\}\s*$/, `${lines}\n}\n`));
  try {
    await work();
  } finally {
    writeFileSync(file, good);
  }
}

beforeAll(async () => {
  if (!existsSync(join(root, 'dist'))) {
    execFileSync(process.execPath, [join(root, 'scripts/build.mjs')], { stdio: 'inherit' });
  }
  cloud = await startLab(root, say);
  demo = await makeProject(root, join(scratch, 'project'), cloud, say);
  writeFileSync(join(demo.project, 'cluster.yaml'), CLUSTER);
});

afterAll(async () => {
  await commandRunner(root, root)(['lab', 'down'], say);
  rmSync(scratch, { recursive: true, force: true });
});

describe('on the way up', () => {
  it('a wrong token: provider.auth, and nothing is made', async () => {
    expectProblem(await attempt(['up', '--env', wrongTokenEnv()]), 'provider.auth', 1);
    expect(await serverNames()).toEqual([]);
  });

  it('a full quota: provider.quota, and nothing is made', async () => {
    const refusal = { status: 403, code: 'resource_limit_exceeded', message: 'server limit exceeded' };
    await addFault({ kind: 'request', method: 'POST', path: '/v1/servers', count: 3, ...refusal });
    expectProblem(await attempt(['up']), 'provider.quota', 1);
    expect(await serverNames()).toEqual([]);
  });

  it('a host key that is not the injected one: ssh.host-key; the server can be made again', async () => {
    await addFault({ kind: 'wrong-host-key', server: 'worker001' });
    const outcome = await attempt(['up']);
    expectProblem(outcome, 'ssh.host-key', 1);
    expect(outcome.output).toMatch(/node: {2}worker001/);
    expect(await serverNames()).toEqual(['etcd001', 'ingress001', 'worker001']);
    await succeed(['cluster', 'destroy', '--target=worker001']);
    expect(await serverNames()).toEqual(['etcd001', 'ingress001']);
  });

  it('SIGKILL in the middle of a bootstrap: the next `up` starts there again', async () => {
    const stop = { pattern: /"step-progress","node":"etcd001"/, signal: 'SIGKILL' } as const;
    const { signal, output } = await attempt(['up', '-o', 'json'], { stop });
    expect(signal, output).toBe('SIGKILL');
    expect(output).not.toMatch(/"phase-ended","phase":"control plane"/);
  });

  it('Ctrl-C in the middle of a bootstrap: interrupted, and 130', async () => {
    const stop = { pattern: /"step-progress","node":"worker001"/, signal: 'SIGINT' } as const;
    expectProblem(await attempt(['up', '-o', 'json'], { stop }), 'interrupted', 130);
  });

  it('with every cause gone, `up` finishes the job', async () => {
    await succeed(['up']);
    const { value: status } = await waitUntil('the app under a lease', async () => {
      const seen = await readStatus(demo.run);
      return leasedNodes(seen, 'hello').join() === 'worker001' && seen;
    });
    expect(status.nodes.filter((node) => !node.connected)).toEqual([]);
    url = publicUrl(status);
    await serves('v1');
  });
});

describe('in a cluster that runs', () => {
  it('a wrong token: provider.auth, and the app serves', async () => {
    expectProblem(await attempt(['up', '--env', wrongTokenEnv()]), 'provider.auth', 1);
    expect(await askApp()).toContain('v1');
  });

  it('a Nix file that does not evaluate: apply.rejected, and the node runs what it ran', async () => {
    const before = await systemOf('worker001');
    await withNix('worker001', '  infrastructure.no-such-option = true;', async () => {
      const outcome = await attempt(['deploy', '--on', 'worker001']);
      expectProblem(outcome, 'apply.rejected', 4);
      expect(outcome.output).toContain('no-such-option');
    });
    expect(await systemOf('worker001')).toBe(before);
    expect(await askApp()).toContain('v1');
    await succeed(['deploy', '--on', 'worker001']);
    expect(await systemOf('worker001')).toBe(before);
  });

  it('a unit that fails: apply.unhealthy names it; the repaired node is well again', async () => {
    const before = await systemOf('worker001');
    const broken = `  systemd.services.broken = {
    wantedBy = [ "multi-user.target" ];
    serviceConfig = { Type = "oneshot"; ExecStart = "/bin/sh -c 'exit 3'"; };
  };`;
    await withNix('worker001', broken, async () => {
      const outcome = await attempt(['deploy', '--on', 'worker001']);
      expectProblem(outcome, 'apply.unhealthy', 5);
      expect(outcome.output).toContain('broken.service');
    });
    expect(await askApp()).toContain('v1');
    await succeed(['up']);
    expect(await systemOf('worker001')).toBe(before);
    expect(await onNode('worker001', 'systemctl', 'list-units', '--failed', '--plain', '--no-legend')).toBe(
      '',
    );
  });

  it('a controller that is gone: controller.unreachable, and the app serves meanwhile', async () => {
    const before = await systemOf('worker001');
    wantVersion('v2');
    await onNode('etcd001', 'systemctl', 'stop', 'nix-infra-controller');
    expectProblem(await attempt(['deploy']), 'controller.unreachable', 3);
    expect(await askApp()).toContain('v1');
    expect(await systemOf('worker001')).toBe(before);
    await onNode('etcd001', 'systemctl', 'start', 'nix-infra-controller');
    await succeed(['up']);
    await serves('v2');
  });

  it('etcd without quorum: etcd.unavailable, and the app serves meanwhile', async () => {
    const before = await systemOf('worker001');
    wantVersion('v3');
    await onNode('etcd001', 'systemctl', 'stop', 'etcd');
    expectProblem(await attempt(['deploy']), 'etcd.unavailable', 3);
    expect(await askApp()).toContain('v2');
    expect(await systemOf('worker001')).toBe(before);
    await onNode('etcd001', 'systemctl', 'start', 'etcd');
    await succeed(['up']);
    await waitUntil('every agent connected', async () =>
      (await readStatus(demo.run)).nodes.every((node) => node.connected),
    );
    await serves('v3');
  });

  it('`down` takes it all away', async () => {
    await succeed(['down', '--yes']);
    expect(await serverNames()).toEqual([]);
  });
});
