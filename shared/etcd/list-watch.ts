/**
 * A watch that cannot lose anything: list, watch from the next revision, and list again after any trouble. It makes harmless that
 * etcd3 skips events when a connection breaks during catch-up and dies silently on compaction (both reproduced).
 */
import type { Change, Entry, Listing, Watch } from './store.js';

export interface Feed {
  close(): void;
}

export interface FeedHandlers {
  /** `revision` is etcd's at which it happened. */
  onChange(change: Change, revision: number): void;
  /** The feed is no longer reliable: disconnected, cancelled or compacted. */
  onTrouble(): void;
}

export interface ListWatchParts {
  list(): Promise<Listing>;
  /** Changes from this revision on. */
  feed(fromRevision: number, handlers: FeedHandlers): Feed;
  resyncMs: number;
  retryMs: number;
}

/** Differences between what a consumer knows (key -> last change) and a fresh listing. */
export function difference(known: ReadonlyMap<string, number>, entries: readonly Entry[]): Change[] {
  const present = new Set(entries.map((entry) => entry.key));
  const gone = [...known.keys()].filter((key) => !present.has(key)).map((key) => ({ key, entry: undefined }));
  const changed = entries
    .filter((entry) => known.get(entry.key) !== entry.modRevision)
    .map((entry) => ({ key: entry.key, entry }));
  return [...gone, ...changed];
}

export function listWatch(
  parts: ListWatchParts,
  onChange: (change: Change) => void,
  onRevision: (revision: number) => void = () => {},
): Watch {
  const known = new Map<string, number>();
  let closed = false;
  let feed: Feed | undefined;
  let timer: NodeJS.Timeout | undefined;
  let round = 0;
  let newest = 0;
  let markReady: () => void = () => {};
  const ready = new Promise<void>((resolve) => {
    markReady = resolve;
  });

  function deliver(change: Change): void {
    if (change.entry) known.set(change.key, change.entry.modRevision);
    else known.delete(change.key);
    newest = Math.max(newest, change.entry?.modRevision ?? 0);
    onChange(change);
  }

  function startAgain(afterMs: number): void {
    feed?.close();
    feed = undefined;
    clearTimeout(timer);
    round += 1;
    if (!closed) timer = setTimeout(() => void run(), afterMs);
  }

  async function run(): Promise<void> {
    const mine = round;
    try {
      const listing = await parts.list();
      if (closed || mine !== round) return;
      // etcd was restored from a snapshot: its revisions went back, and the same number may stand for another value.
      if (listing.revision < newest) for (const key of known.keys()) known.set(key, -1);
      newest = listing.revision;
      for (const change of difference(known, listing.entries)) deliver(change);
      onRevision(listing.revision);
      markReady();
      feed = parts.feed(listing.revision + 1, {
        onChange: (change, revision) => {
          if (closed || mine !== round) return;
          deliver(change);
          onRevision(revision);
        },
        onTrouble: () => {
          if (mine === round) startAgain(parts.retryMs);
        },
      });
      timer = setTimeout(() => startAgain(0), parts.resyncMs);
    } catch {
      if (mine === round) startAgain(parts.retryMs * (0.5 + Math.random()));
    }
  }

  void run();
  return {
    ready,
    close: () => {
      closed = true;
      clearTimeout(timer);
      feed?.close();
    },
  };
}
