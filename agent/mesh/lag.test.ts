import { expect, it } from 'vitest';
import { agentDefaults as defaults } from '../defaults.js';
import { isLate, type Lag, look, noLag, restarted, restartIsDue } from './lag.js';

const { renderLagMs, renderRestartMinMs, renderRestartMaxMs } = defaults;

it('a file that is right is never late', () => {
  expect(look(noLag, 'a', true, 10)).toEqual(noLag);
  expect(isLate(noLag, 1e9)).toBe(false);
});

it('counts from the first look at which the file was wrong', () => {
  const lag = look(look(noLag, 'a', false, 100), 'a', false, 4_000);
  expect(lag.sinceMs).toBe(100);
  expect(isLate(lag, 100 + renderLagMs - 1)).toBe(false);
  expect(isLate(lag, 100 + renderLagMs)).toBe(true);
});

it('a file that changes is not late, however far it is behind', () => {
  let lag: Lag = noLag;
  for (let now = 0; now < 10 * renderLagMs; now += renderLagMs / 2) {
    lag = look(lag, `file ${now}`, false, now);
    expect(isLate(lag, now)).toBe(false);
  }
});

it('restarts at once when it is late, and then ever more rarely', () => {
  let lag: Lag = look(noLag, 'a', false, 0);
  let now: number = renderLagMs;
  const pauses: number[] = [];
  for (let at = 0; at < 8; at++) {
    expect(restartIsDue(lag, now)).toBe(true);
    lag = restarted(lag, now);
    pauses.push(lag.nextRestartMs - now);
    expect(restartIsDue(lag, lag.nextRestartMs - 1)).toBe(false);
    now = lag.nextRestartMs;
  }
  expect(pauses.slice(0, 3)).toEqual([renderRestartMinMs, 2 * renderRestartMinMs, 4 * renderRestartMinMs]);
  expect(pauses.at(-1)).toBe(renderRestartMaxMs);
});

it('begins anew once the file was right', () => {
  const lag = restarted(look(noLag, 'a', false, 0), renderLagMs);
  expect(look(look(lag, 'b', true, 7_000), 'a', false, 8_000)).toEqual({
    ...noLag,
    file: 'a',
    sinceMs: 8_000,
  });
});
