import { describe, expect, it, vi } from 'vitest';
import { difference, type FeedHandlers, listWatch } from './list-watch.js';
import type { Entry } from './store.js';

const entry = (key: string, modRevision: number): Entry => ({
  key,
  value: Buffer.from('x'),
  lease: '0',
  modRevision,
  createRevision: modRevision,
});

describe('difference', () => {
  it('tells removed, changed and new keys, and nothing else', () => {
    const known = new Map([
      ['/same', 1],
      ['/changed', 2],
      ['/gone', 3],
    ]);
    const changes = difference(known, [entry('/same', 1), entry('/changed', 9), entry('/new', 8)]);
    expect(changes.map((change) => [change.key, change.entry?.modRevision])).toEqual([
      ['/gone', undefined],
      ['/changed', 9],
      ['/new', 8],
    ]);
  });
});

describe('listWatch', () => {
  it('finds after trouble what happened while it was away', async () => {
    const listings = [
      { entries: [entry('/a', 1)], revision: 1 },
      { entries: [entry('/b', 5)], revision: 5 },
    ];
    const feeds: { from: number; handlers: FeedHandlers }[] = [];
    const seen: string[] = [];
    const revisions: number[] = [];
    const list = vi.fn(
      async () => listings[Math.min(list.mock.calls.length - 1, 1)] as (typeof listings)[number],
    );
    const feed = (from: number, handlers: FeedHandlers) => {
      feeds.push({ from, handlers });
      return { close: () => {} };
    };
    const watch = listWatch(
      { list, feed, resyncMs: 60_000, retryMs: 1 },
      ({ key, entry: now }) => seen.push(now ? `+${key}` : `-${key}`),
      (revision) => revisions.push(revision),
    );
    await watch.ready;
    await vi.waitFor(() => expect(feeds).toHaveLength(1));
    feeds[0]?.handlers.onTrouble();
    await vi.waitFor(() => expect(feeds).toHaveLength(2));
    expect(feeds.map(({ from }) => from)).toEqual([2, 6]);
    expect(seen).toEqual(['+/a', '-/a', '+/b']);
    // A feed that was given up must not speak any more.
    feeds[0]?.handlers.onChange({ key: '/late', entry: entry('/late', 4) }, 4);
    expect(seen).toHaveLength(3);
    feeds[1]?.handlers.onChange({ key: '/b', entry: undefined }, 7);
    expect(seen).toEqual(['+/a', '-/a', '+/b', '-/b']);
    expect(revisions).toEqual([1, 5, 7]);
    watch.close();
  });

  it('takes nothing for known after etcd was restored: a revision may stand for another value', async () => {
    const value = (text: string, modRevision: number) => ({
      ...entry('/a', modRevision),
      value: Buffer.from(text),
    });
    const listings = [
      { entries: [value('old', 7), entry('/b', 9)], revision: 9 },
      { entries: [value('new', 7)], revision: 8 },
    ];
    const handlers: FeedHandlers[] = [];
    const seen: string[] = [];
    const watch = listWatch(
      {
        list: async () => listings[Math.min(handlers.length, 1)] as (typeof listings)[number],
        feed: (_from, given) => {
          handlers.push(given);
          return { close: () => {} };
        },
        resyncMs: 60_000,
        retryMs: 1,
      },
      ({ key, entry: now }) => seen.push(`${key}=${now?.value.toString() ?? 'gone'}`),
    );
    await vi.waitFor(() => expect(handlers).toHaveLength(1));
    handlers[0]?.onTrouble();
    await vi.waitFor(() => expect(handlers).toHaveLength(2));
    expect(seen).toEqual(['/a=old', '/b=x', '/b=gone', '/a=new']);
    watch.close();
  });
});
