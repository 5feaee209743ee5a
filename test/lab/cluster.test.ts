/**
 * The main job, end to end, with real parts: what `npm run demo` does, with an assertion for each of its nine steps.
 * The steps run in order on one cluster; a later one means nothing after an earlier one failed.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readStatus, type StatusView } from '../../lab/demo/cluster-view.js';
import { commandRunner } from '../../lab/demo/command.js';
import {
  bringUp,
  type Demo,
  downAndUp,
  makeProject,
  seeApp,
  startLab,
  updateUnderLoad,
  WORKERS,
} from '../../lab/demo/steps.js';
import { repoRoot } from '../../lab/repo-root.js';

const NODES = ['etcd001', 'etcd002', 'etcd003', 'ingress001', 'registry001', 'worker001', 'worker002'];

// A lab of its own beside one that a person may have running.
process.env.NIX_INFRA_LAB_DIR = '/var/lib/nix-infra-lab-test';
process.env.NIX_INFRA_LAB_NETWORK = '10.79.0.0/24';

const root = repoRoot();
const scratch = mkdtempSync(join(tmpdir(), 'nix-infra-cluster-'));
const say = (line: string) => console.log(line);
let demo: Demo;
let status: StatusView;
let url: string;

beforeAll(() => {
  execFileSync(process.execPath, [join(root, 'scripts/build.mjs')], { stdio: 'inherit' });
});

afterAll(async () => {
  await commandRunner(root, root)(['lab', 'down'], say);
  rmSync(scratch, { recursive: true, force: true });
});

describe('a cluster from nothing', () => {
  it('1 starts the lab and says how to reach it', async () => {
    const env = await startLab(root, say);
    expect(env.HCLOUD_ENDPOINT).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/v1$/);
    expect(env.HCLOUD_TOKEN).toMatch(/^[A-Za-z0-9]{64}$/);
    demo = await makeProject(root, join(scratch, 'project'), env, say);
  });

  it('2-5 creates, bootstraps and deploys seven nodes whose agents dial in', async () => {
    await bringUp(demo, say);
    status = await readStatus(demo.run);
    expect(status.nodes.map((node) => node.name).sort()).toEqual(NODES);
    expect(status.nodes.filter((node) => !node.connected)).toEqual([]);
    expect(status.etcd.filter((member) => member.healthy)).toHaveLength(3);
    expect(status.etcd.filter((member) => member.leader)).toHaveLength(1);
  });

  it('is converged: a second `up` changes nothing', async () => {
    const before = status.nodes.map((node) => [node.name, node.revision]);
    await bringUp(demo, say);
    const after = (await readStatus(demo.run)).nodes.map((node) => [node.name, node.revision]);
    expect(after).toEqual(before);
  });

  it('6 serves the app from both workers through the ingress', async () => {
    const seen = await seeApp(demo);
    expect(seen.answeredBy).toEqual(WORKERS);
    url = seen.url;
  });

  it('7 updates the app on one worker after the other without a failed request', async () => {
    const update = await updateUnderLoad(demo, url, 'v2', say);
    expect(update.causes).toEqual({});
    expect(update.versions).toContain('v2');
    expect(update.requests).toBeGreaterThan(500);
  });

  it('8 takes an instance out of the load balancer and back in, without a failed request', async () => {
    const swing = await downAndUp(demo, url);
    expect(swing.load.causes).toEqual({});
  });

  it('rejects a configuration that does not evaluate and leaves the node as it was', async () => {
    const file = join(demo.project, 'nodes/worker001.nix');
    const good = readFileSync(file, 'utf8');
    // What runs, asked of the node itself.
    const running = async () =>
      (await demo.run(['cluster', 'cmd', '--target=worker001', 'readlink -f /run/current-system'])).stdout;
    const before = await running();
    writeFileSync(file, good.replace(/\}\s*$/, '  infrastructure.no-such-option = true;\n}\n'));
    await expect(demo.run(['deploy', '--on', 'worker001'], say)).rejects.toThrow(/ended with 4/);
    expect(await running()).toBe(before);
    expect(await (await fetch(url)).text()).toContain('v2');
    writeFileSync(file, good);
    await demo.run(['deploy', '--on', 'worker001'], say);
    expect(await running()).toBe(before);
  });

  it('9 is gone after `down`, with nothing left on the machine', async () => {
    await demo.run(['down', '--yes'], say);
    await commandRunner(root, root)(['lab', 'down'], say);
    const mounts = execFileSync('cat', ['/proc/mounts'], { encoding: 'utf8' });
    expect(mounts).not.toContain('nix-infra-lab-test');
    const processes = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
    expect(processes).not.toContain('nix-infra-lab-test');
    const links = execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' });
    expect(links).not.toMatch(/10\.79\.|lab-test/);
  });
});
