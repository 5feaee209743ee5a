import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { commandText, packed, serverParameters } from './runtime-commands.js';

const template = readFileSync(new URL('../../nixos/modules/haproxy/mesh.cfg.tmpl', import.meta.url), 'utf8');
const at = { backend: 'hello', server: 'worker001', address: '10.0.0.1:80' };

it('adds servers with what the template gives to its own', () => {
  const defaults = [...template.matchAll(/^ *default-server (.*)$/gm)].map(([, text]) => text);
  const own = [...template.matchAll(/^ *server \S+ \S+(.*)$/gm)].map(([line]) =>
    line.split(' ').slice(-3).join(' '),
  );
  expect(own).toEqual(['check tcp-ut 1s']);
  expect(defaults.map((text) => `check ${text}`)).toEqual([serverParameters]);
});

it.each([
  ['move', 'set server hello/worker001 addr 10.0.0.1 port 80'],
  ['ready', 'set server hello/worker001 state ready'],
  ['drain', 'set server hello/worker001 state drain'],
  ['delete', 'set server hello/worker001 state maint;del server hello/worker001'],
] as const)('%s', (what, text) => {
  expect(commandText({ do: what, ...at })).toBe(text);
});

it.each([
  { backend: 'hello;shutdown' },
  { backend: 'hello\nquit' },
  { backend: '' },
  { server: 'worker001 addr' },
  { server: 'Worker' },
  { address: '10.0.0.1:80 backup' },
  { address: '10.0.0.1' },
  { address: 'name:80' },
])('says nothing of %j', (wrong) => {
  for (const what of ['add', 'move', 'ready', 'drain', 'delete'] as const)
    expect(commandText({ do: what, ...at, ...wrong })).toBeUndefined();
});

it.each(['hello', 'frontends-hello', 'frontends.hello'])('knows a backend called %s', (backend) => {
  expect(commandText({ do: 'ready', ...at, backend })).toContain(`${backend}/worker001`);
});

it('packs lines', () => {
  expect(packed(['aaa', 'bbb', 'ccc', 'd'], 7)).toEqual(['aaa;bbb', 'ccc;d']);
  expect(packed(['longer than that'], 7)).toEqual(['longer than that']);
});
