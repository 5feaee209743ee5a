/** The files that the next reload or restart of haproxy would serve. */
import { readFileSync, statSync } from 'node:fs';
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
}

export class ServedRecord {
  #file = nothing;
  #loaded = nothing;

  constructor(private readonly paths: ServedRecordPaths) {}

  /** The servers that may yet come into service; `description` is what the running worker calls itself. */
  servers(description: string): readonly ServerAt[] {
    this.#file = read(this.paths.file, this.#file);
    this.#loaded = read(this.paths.loaded, this.#loaded);
    const { name, servers } = this.#loaded;
    // A reload is under way, with a file that confd may have replaced since.
    return name !== '' && name !== description ? [...this.#file.servers, ...servers] : this.#file.servers;
  }
}

/** Reads again only what was written since; both files are replaced as a whole. */
function read(path: string, known: Known): Known {
  try {
    const { ino, mtimeNs, size } = statSync(path, { bigint: true });
    const stamp = `${ino} ${mtimeNs} ${size}`;
    if (stamp === known.stamp) return known;
    const { name, servers } = parseLoaded(readFileSync(path, 'utf8'));
    return { stamp, name, servers };
  } catch {
    // Not there: nothing comes of it.
    return nothing;
  }
}
