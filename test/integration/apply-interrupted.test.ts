import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Controller } from '../../controller/server/server.js';
import { BlobStore } from '../../controller/store/blobs.js';
import { keys } from '../../controller/store/keys.js';
import { parseStatus } from '../../controller/store/shapes.js';
import { Outcome } from '../../proto/gen/nixinfra/v1/agent.js';
import { type AgentHandle, type Cluster, startCluster } from '../harness/cluster.js';
import { bundleOf } from '../harness/operator.js';
import { until } from '../harness/until.js';

let cluster: Cluster;
let controller: Controller;
let agent: AgentHandle;
let nth = 0;

const node = 'worker001';
const at = (name: string) => join(agent.recordDir, name);
const set = (name: string, text = '') => writeFileSync(at(name), text);
const unset = (name: string) => rmSync(at(name), { force: true });
const calls = () => readFileSync(at('calls'), 'utf8').trim().split('\n');
const activations = () => calls().filter((line) => / test$/.test(line)).length;
const flake = () => readFileSync(join(agent.configDir, 'flake.nix'), 'utf8');
const running = () => readFileSync(join(readlinkSync(at('current')), 'flake.nix'), 'utf8');
const booting = () => readFileSync(join(readlinkSync(at('loader')), 'flake.nix'), 'utf8');

async function upload(text: string): Promise<string> {
  const store = new BlobStore(cluster.etcd.store);
  const { manifest, blobs } = bundleOf(node, { 'flake.nix': text });
  for (const blob of blobs) await store.put(blob.sha256, blob.gzip);
  await store.putManifest(manifest);
  return manifest.revision;
}

/** Orders as the leader does: by writing the key. */
async function order(text: string, how: { token?: number; confirmMs?: number; force?: boolean } = {}) {
  nth += 1;
  const id = `r-${nth}/${node}/1`;
  const { token = 1, confirmMs = 60_000, force = false } = how;
  const options = { drainMs: 0, settleMs: 300, confirmMs, force };
  const value = { revision: await upload(text), order: id, token, options };
  await cluster.etcd.store.put(keys.desired(node), JSON.stringify(value));
  return id;
}

async function status() {
  const entry = await cluster.etcd.store.get(keys.status(node));
  return entry && parseStatus(entry.key, entry.value);
}

const resultOf = (id: string, limitMs = 30_000) =>
  until(`the result of ${id}`, limitMs, async () => {
    const result = (await status())?.result;
    return result?.order === id ? result : undefined;
  });
const phase = (name: string) =>
  until(`the phase ${name}`, 15_000, () => {
    const job = join(agent.recordDir, '../state/job.json');
    return existsSync(job) && JSON.parse(readFileSync(job, 'utf8')).phase === name;
  });

/** Orders, and returns while the activation is held. */
async function activating(text: string, how: Parameters<typeof order>[1] = {}): Promise<string> {
  set('hold-activate');
  const before = activations();
  const id = await order(text, { token: 7, ...how });
  await until('the activation', 15_000, () => activations() > before);
  expect(flake()).toBe(text);
  return id;
}

/** The machine loses its power: every process of it dies, and it boots what it boots by default. */
async function powerCut(): Promise<void> {
  await agent.kill('SIGKILL');
  for (const name of ['watchdog.pid', 'activation.pid']) {
    const pid = existsSync(at(name)) ? Number.parseInt(readFileSync(at(name), 'utf8'), 10) : 0;
    try {
      // Its whole group, which it leads.
      if (pid > 0) process.kill(-pid, 'SIGKILL');
    } catch {
      // It had ended.
    }
  }
  unset('current');
  symlinkSync(readlinkSync(at('loader')), at('current'));
  set('boot', `boot-${Date.now()}`);
}

beforeAll(async () => {
  cluster = await startCluster(1);
  controller = await cluster.controller('etcd001');
  agent = await cluster.agent(node, [controller.port]);
  set('boot', 'boot-1');
  const id = await order('base');
  expect((await resultOf(id)).outcome).toBe(Outcome.OUTCOME_APPLIED);
});

afterAll(async () => {
  await cluster?.stop();
});

describe('an order', () => {
  it('changes the boot default only once the node has proved itself', async () => {
    set('hold-commit');
    const id = await order('proved');
    await phase('committing');
    expect([running(), booting(), flake()]).toEqual(['proved', 'base', 'proved']);
    unset('hold-commit');
    expect((await resultOf(id)).outcome).toBe(Outcome.OUTCOME_APPLIED);
    expect([running(), booting(), flake()]).toEqual(['proved', 'proved', 'proved']);
    expect(readFileSync(join(`${agent.configDir}.previous`, 'flake.nix'), 'utf8')).toBe('base');
  });

  it('that does not build changes nothing', async () => {
    const id = await order('syntax error');
    const result = await resultOf(id);
    expect(result.outcome).toBe(Outcome.OUTCOME_REJECTED);
    expect(result.log.join(' ')).toContain('syntax error');
    expect([running(), booting(), flake()]).toEqual(['proved', 'proved', 'proved']);
  });

  it('for what runs already is unchanged', async () => {
    const before = activations();
    const id = await order('proved');
    expect((await resultOf(id)).outcome).toBe(Outcome.OUTCOME_UNCHANGED);
    expect(activations()).toBe(before);
  });

  it('is told again after a restart, and not carried out again', async () => {
    const id = await order('again');
    await resultOf(id);
    const before = calls().length;
    await agent.kill('SIGKILL');
    await cluster.etcd.store.delete(keys.status(node));
    agent.restart();
    expect((await resultOf(id)).outcome).toBe(Outcome.OUTCOME_APPLIED);
    expect(calls().length).toBe(before);
  });

  it('with a kernel that is not the booted one says so', async () => {
    set('new-kernel');
    const id = await order('kernel');
    expect((await resultOf(id)).outcome).toBe(Outcome.OUTCOME_NEEDS_REBOOT);
    unset('new-kernel');
  });

  it('of a leader that has been followed is refused', async () => {
    const id = await order('leader', { token: 7 });
    await resultOf(id);
    const before = calls().length;
    await order('of the past', { token: 6 });
    await until('the refusal', 10_000, () => agent.log().includes('of the past is refused'));
    const next = await order('leader again', { token: 7 });
    await resultOf(next);
    expect(
      calls()
        .slice(before)
        .filter((line) => line.startsWith('build')),
    ).toHaveLength(1);
    expect(running()).toBe('leader again');
  });
});

describe('a node that does not prove itself', () => {
  const back = async (id: string, why: RegExp) => {
    const result = await resultOf(id);
    expect(result.outcome).toBe(Outcome.OUTCOME_ROLLED_BACK);
    expect(result.message).toMatch(why);
    expect([running(), booting(), flake()]).toEqual(['leader again', 'leader again', 'leader again']);
    expect(basename(result.system)).toBe(basename(readlinkSync(at('current'))));
    return result;
  };

  it('goes back because of a new unit that failed', async () => {
    mkdirSync(at('units'), { recursive: true });
    set('units/bad.service', 'failed');
    const result = await back(await order('with\nunit bad.service\n', { token: 7 }), /bad.service failed/);
    expect(result.log).toContain('bad.service: recorded as failed');
  });

  it('stays when it is forced to, and says that it is not well', async () => {
    const id = await order('with\nunit bad.service\n', { token: 7, force: true });
    const result = await resultOf(id);
    expect(result.outcome).toBe(Outcome.OUTCOME_UNHEALTHY);
    expect(result.message).toContain('bad.service failed');
    expect(booting()).toContain('bad.service');
    unset('units/bad.service');
    await resultOf(await order('leader again', { token: 7 }));
  });

  it('goes back because nobody can log in any more', { timeout: 60_000 }, async () => {
    const id = await activating('no ssh');
    set('ssh-broken');
    unset('hold-activate');
    await back(id, /login/);
    unset('ssh-broken');
  });

  it('goes back because its system cannot be activated', async () => {
    set('activate-fails', '2');
    await back(await order('broken', { token: 7 }), /exit code 2/);
  });

  it('goes back by its watchdog when no controller confirms', async () => {
    const { port } = controller;
    const id = await activating('cut off', { confirmMs: 6_000 });
    await controller.stop();
    unset('hold-activate');
    await until('the new system', 10_000, () => running() === 'cut off');
    await until('the way back', 20_000, () => flake() === 'leader again' && running() === 'leader again');
    controller = await cluster.controller('etcd001', port);
    await back(id, /watchdog/);
  });

  it('goes back by its watchdog also when the agent is gone', async () => {
    const id = await activating('dead agent', { confirmMs: 5_000 });
    await agent.kill('SIGKILL');
    unset('hold-activate');
    await until('the new system', 10_000, () => running() === 'dead agent');
    await until('the way back', 20_000, () => flake() === 'leader again' && running() === 'leader again');
    agent.restart();
    await back(id, /watchdog/);
  });

  it('is not activated after its watchdog has gone back', async () => {
    set('hold-start');
    const wayBacks = () => readdirSync(at('watchdog')).filter((name) => /^restored\.[^.]+$/.test(name));
    const [before, former] = [calls().length, wayBacks()];
    const id = await order('too late', { token: 7, confirmMs: 1_000 });
    await until('the way back', 20_000, () => wayBacks().some((name) => !former.includes(name)));
    unset('hold-start');
    await back(id, /watchdog/);
    const begun = calls()
      .slice(before)
      .filter((line) => / test$/.test(line));
    // The way back's own alone.
    expect(new Set(begun)).toEqual(new Set([`activate ${basename(readlinkSync(at('current')))} test`]));
  });

  it('is not activated where its watchdog does not run', async () => {
    set('no-watchdog');
    const before = activations();
    await back(await order('unwatched', { token: 7 }), /watchdog does not run/);
    expect(activations()).toBe(before);
    unset('no-watchdog');
  });

  it('goes back with its boot default, also when that is written only at the second attempt', async () => {
    set('commit-fails', '2');
    await back(await order('half committed', { token: 7 }), /boot default: no room for the boot loader/);
  });

  it('goes back by a power cut before it was confirmed', async () => {
    const id = await activating('power');
    await powerCut();
    unset('hold-activate');
    agent.restart();
    await back(id, /restarted before/);
  });
});

describe('an agent that dies in the middle of an order', () => {
  it('takes up the activation that went on without it, and does not start it again', async () => {
    const before = activations();
    const id = await activating('second');
    await agent.kill('SIGKILL');
    unset('hold-activate');
    agent.restart();
    expect((await resultOf(id)).outcome).toBe(Outcome.OUTCOME_APPLIED);
    expect(activations()).toBe(before + 1);
    expect([running(), booting(), flake()]).toEqual(['second', 'second', 'second']);
  });

  it('before the activation has changed nothing, and carries the order out from its beginning', async () => {
    set('hold-build');
    const [builds, before] = [calls().length, activations()];
    const id = await order('third', { token: 7 });
    await until('the build', 10_000, () => calls().length > builds);
    expect(flake()).toBe('second');
    await agent.kill('SIGKILL');
    agent.restart();
    await until('the build', 10_000, () => calls().length > builds + 1);
    unset('hold-build');
    expect((await resultOf(id)).outcome).toBe(Outcome.OUTCOME_APPLIED);
    expect(activations()).toBe(before + 1);
    expect(flake()).toBe('third');
  });

  it('while it commits ends what was confirmed', async () => {
    set('hold-commit');
    const id = await order('fourth', { token: 7 });
    await phase('committing');
    await agent.kill('SIGKILL');
    unset('hold-commit');
    agent.restart();
    expect((await resultOf(id)).outcome).toBe(Outcome.OUTCOME_APPLIED);
    expect(booting()).toBe('fourth');
  });

  it('with the power after the commit has applied it', async () => {
    const id = await order('fifth', { token: 7 });
    await until('the boot default', 20_000, () => booting() === 'fifth');
    await powerCut();
    agent.restart();
    expect((await resultOf(id)).outcome).toBe(Outcome.OUTCOME_APPLIED);
    expect([running(), flake()]).toEqual(['fifth', 'fifth']);
  });
});

it('an order does not wait for a build that was only asked for to make a plan', async () => {
  set('hold-build');
  const builds = calls().length;
  const request = 'a plan';
  await cluster.etcd.store.put(
    keys.prepare(node),
    JSON.stringify({ request, revision: await upload('planned') }),
  );
  await until('the build', 10_000, () => calls().length > builds);
  const id = await order(running(), { token: 7 });
  expect((await resultOf(id, 10_000)).outcome).toBe(Outcome.OUTCOME_UNCHANGED);
  // It is done again after the order, and only then answered.
  await until('the build again', 10_000, () => calls().length > builds + 1);
  expect((await cluster.etcd.store.get(keys.prepared(node)))?.value.toString() ?? '').not.toContain(request);
  unset('hold-build');
  const prepared = await until('the answer', 10_000, async () => {
    const text = (await cluster.etcd.store.get(keys.prepared(node)))?.value.toString() ?? '';
    return text.includes(request) ? JSON.parse(text) : undefined;
  });
  expect(prepared).toMatchObject({ request, ok: true });
});

it('an order that a newer one replaced while it waited is never carried out', async () => {
  set('hold-build');
  const builds = calls().length;
  await order('sixth', { token: 7 });
  await until('the build', 10_000, () => calls().length > builds);
  await order('skipped', { token: 7 });
  const last = await order('last', { token: 7 });
  await until('the last order', 10_000, async () => {
    const entry = await cluster.etcd.store.get(keys.desired(node));
    return entry?.value.toString().includes(last);
  });
  unset('hold-build');
  expect((await resultOf(last)).outcome).toBe(Outcome.OUTCOME_APPLIED);
  expect(running()).toBe('last');
  expect(
    calls()
      .slice(builds)
      .filter((line) => line.startsWith('build')).length,
  ).toBeLessThanOrEqual(3);
  expect(existsSync(`${agent.configDir}.staged`)).toBe(false);
});
