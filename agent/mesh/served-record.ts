/** The files that the next reload or restart of haproxy would serve. */
import { type FSWatcher, readFileSync, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { parseLoaded } from './served-file.js';
import type { ServerAt } from './served-servers.js';

interface Known {
  stamp: string;
  name: string;
  servers: readonly ServerAt[];
}

const nothing: Known = { stamp: '', name: '', servers: [] };

export interface ServedRecordPaths {
  /** What confd writes. */
  file: string;
  /** The copy that the last start or reload gave to haproxy. */
  loaded: string;
  /** Where to vouch for what runs. */
  voucher: string;
}

/** Tells one content of a path from another: both files are replaced as a whole. Throws when there is none. */
export function stampOf(path: string): string {
  const { ino, mtimeNs, size } = statSync(path, { bigint: true });
  return `${ino}-${mtimeNs}-${size}`;
}

export class ServedRecord {
  #file = nothing;
  #loaded = nothing;

  constructor(private readonly paths: ServedRecordPaths) {}

  /** The file as it is now. */
  file(): Pick<Known, 'stamp' | 'servers'> {
    this.#file = read(this.paths.file, this.#file);
    return this.#file;
  }

  /** The servers that may yet come into service; `description` is what the running worker calls itself. */
  servers(description: string): readonly ServerAt[] {
    const file = this.file();
    this.#loaded = read(this.paths.loaded, this.#loaded);
    const { name, servers } = this.#loaded;
    // A reload is under way, with a file that confd may have replaced since.
    return name !== '' && name !== description ? [...file.servers, ...servers] : file.servers;
  }

  /** Calls back when one of the files is replaced; where that cannot be watched, whoever asks often enough sees it too. */
  watch(onChange: () => void): { close(): void } {
    const watchers = [this.paths.file, this.paths.loaded].flatMap((path): FSWatcher[] => {
      try {
        const watcher = watch(dirname(path), (_, name) => {
          if (name === basename(path)) onChange();
        });
        return [watcher.on('error', () => watcher.close())];
      } catch {
        return [];
      }
    });
    return { close: () => watchers.forEach((watcher) => void watcher.close()) };
  }
}

function read(path: string, known: Known): Known {
  try {
    const stamp = stampOf(path);
    if (stamp === known.stamp) return known;
    const { name, servers } = parseLoaded(readFileSync(path, 'utf8'));
    return { stamp, name, servers };
  } catch {
    // Not there: nothing comes of it.
    return nothing;
  }
}
