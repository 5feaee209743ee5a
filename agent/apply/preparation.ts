/** Makes a revision into a built system, aside of what runs, and says what activating it would change. The same twice is made once. */
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Manifest } from '../../proto/gen/nixinfra/v1/bundle.js';
import { checkFiles, revisionOf } from '../../shared/bundle/manifest.js';
import { Problem } from '../../shared/errors.js';
import { type AppDeclaration, readDeclarations } from '../apps/declaration.js';
import { canonicalJson } from '../apps/keys.js';
import type { Clock } from '../clock.js';
import { agentDefaults as defaults } from '../defaults.js';
import type { Activator } from './activator.js';
import { BlobCache } from './blob-cache.js';
import { appChanges, type Changes, fileChanges, parseDryActivation } from './changes.js';
import { hashFolder, machineDigest, machineFiles, stageAside } from './stage.js';
import { StateFiles } from './state-files.js';

export interface PreparationParts {
  node: string;
  configDir: string;
  stateDir: string;
  activator: Activator;
  clock: Clock;
  log: Logger;
  /** Fetches blobs from the controller of the moment, one by one as gzip. */
  fetch(hashes: string[]): AsyncIterable<{ sha256: string; gzip: Uint8Array }>;
}

/** A revision that has been built on this node. */
export interface Made {
  revision: string;
  system: string;
  currentSystem: string;
  machine: string;
  changes: Changes;
}

/** Why a revision does not become a system; nothing of the node has changed. */
export class Rejected extends Error {
  constructor(
    message: string,
    readonly log: readonly string[] = [],
  ) {
    super(message);
  }
}

type Enter = (phase: 'fetching' | 'staging' | 'building') => Promise<void>;

export class Preparation {
  readonly #cache: BlobCache;
  readonly #files: StateFiles;
  readonly #dir: string;

  constructor(private readonly parts: PreparationParts) {
    this.#dir = join(parts.stateDir, 'staged');
    this.#cache = new BlobCache(join(parts.stateDir, 'blobs'));
    this.#files = new StateFiles(this.#dir);
  }

  folderOf(revision: string): string {
    return join(this.#dir, revision);
  }

  /** What is known of the revision, when it is still true: the same system runs, the machine's files are the same, nothing was removed. */
  async known(manifest: Manifest): Promise<Made | undefined> {
    const { activator, configDir } = this.parts;
    const made = await this.#files.read<Made>(`${manifest.revision}.json`);
    if (!made) return undefined;
    const still =
      made.currentSystem === (await activator.currentSystem()) &&
      made.machine === (await machineDigest(configDir, manifest.files)) &&
      (await activator.isBuilt(made.system)) &&
      (await stat(this.folderOf(manifest.revision)).catch(() => undefined));
    return still ? made : undefined;
  }

  /**
   * Throws Rejected, Problem or the disk's own error. `enter` is called before each phase, and for none of a revision that is known. The
   * signal ends it soon, with whatever error that makes.
   */
  async make(manifest: Manifest, enter: Enter, signal?: AbortSignal): Promise<Made> {
    this.#check(manifest);
    const known = await this.known(manifest);
    if (known) {
      // /etc/nixos may have been changed by hand since: the list of files is always of now.
      return { ...known, changes: { ...known.changes, files: await this.#fileChanges(manifest) } };
    }
    const { node, configDir, activator } = this.parts;
    const { revision, files } = manifest;
    await enter('fetching');
    await this.#fetch(manifest, signal);
    signal?.throwIfAborted();
    await enter('staging');
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const machine = await machineDigest(configDir, files);
    await stageAside(this.folderOf(revision), manifest, configDir, (hash) => this.#cache.read(hash));
    signal?.throwIfAborted();
    await enter('building');
    const built = await activator.build(node, this.folderOf(revision), signal);
    if (!built.ok) throw new Rejected('the configuration does not build', built.log);
    const currentSystem = await activator.currentSystem();
    const made: Made = {
      revision,
      system: built.system,
      currentSystem,
      machine,
      changes: await this.#changes(manifest, currentSystem, built.system),
    };
    await activator.keep(revision, built.system);
    await this.#files.write(`${revision}.json`, made);
    await this.#cache.keepOnly(files.map((file) => file.sha256));
    await this.#keepFew(revision);
    return made;
  }

  async #fileChanges(manifest: Manifest): Promise<Changes['files']> {
    const before = await hashFolder(this.parts.configDir);
    const after = new Map(manifest.files.map((file) => [file.path, file.sha256]));
    for (const name of machineFiles) if (!after.has(name)) before.delete(name);
    return fileChanges(before, after);
  }

  async #changes(manifest: Manifest, current: string, system: string): Promise<Changes> {
    const { activator } = this.parts;
    const [old, now] = [await activator.unitsOf(current), await activator.unitsOf(system)];
    const former = new Set([...old.wanted, ...old.defined]);
    const added = now.wanted.filter((unit) => !former.has(unit));
    const units = parseDryActivation(await activator.dryActivate(system), added);
    return {
      ...units,
      files: await this.#fileChanges(manifest),
      packages: current === '' ? [] : await activator.diffClosures(current, system),
      apps: appChanges(await this.#appsOf(current), await this.#appsOf(system), units),
      needsReboot: await activator.needsReboot(system),
    };
  }

  async #appsOf(system: string): Promise<(AppDeclaration & { text: string })[]> {
    if (system === '') return [];
    const { activator, log } = this.parts;
    const apps = await readDeclarations(activator.appsDirOf(system), (error) =>
      log.warn({ err: error }, 'a declaration is not valid'),
    );
    return apps.map((app) => ({ ...app, text: canonicalJson(app) }));
  }

  /** Folders of revisions that nobody waits for any more. */
  async #keepFew(revision: string): Promise<void> {
    const names = (await readdir(this.#dir)).filter((name) => /^[0-9a-f]{64}$/.test(name));
    const aged = await Promise.all(
      names.map(async (name) => ({ name, atMs: (await stat(join(this.#dir, name))).mtimeMs })),
    );
    aged.sort((a, b) => b.atMs - a.atMs);
    for (const { name } of aged.filter((one) => one.name !== revision).slice(defaults.stagedKept - 1)) {
      await rm(join(this.#dir, `${name}.json`), { force: true });
      await rm(join(this.#dir, name), { recursive: true, force: true });
      await rm(join(this.parts.stateDir, 'roots', name), { force: true });
    }
  }

  #check(manifest: Manifest): void {
    const { node } = this.parts;
    checkFiles(manifest.files);
    // The controller is trusted to choose a revision, not to say what is in it.
    if (manifest.node !== node || revisionOf(node, manifest.files) !== manifest.revision) {
      throw new Problem('bundle.invalid', 'A bundle is not acceptable', {
        where: node,
        reason: 'the revision is not that of the files',
      });
    }
  }

  async #fetch(manifest: Manifest, signal: AbortSignal | undefined): Promise<void> {
    const { fetch, clock, log } = this.parts;
    const hashes = manifest.files.map((file) => file.sha256);
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted();
      try {
        const missing = await this.#cache.missing(hashes);
        for (let at = 0; at < missing.length; at += defaults.blobsPerRequest) {
          const some = missing.slice(at, at + defaults.blobsPerRequest);
          for await (const { sha256, gzip } of fetch(some)) await this.#cache.put(sha256, gzip);
        }
        if ((await this.#cache.missing(hashes)).length === 0) return;
        throw new Error('the controller did not send every file');
      } catch (error) {
        const full = (error as NodeJS.ErrnoException).code === 'ENOSPC';
        if (error instanceof Problem || full || attempt >= defaults.fetchAttempts) throw error;
        log.warn({ attempt, err: error }, 'the files could not be fetched; trying again');
        await clock.sleep(defaults.fetchRetryMs);
      }
    }
  }
}
