/** Remembers in the project that a former node is gone, so that the same command finishes what another run of it began. */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export class ReplaceNote {
  private readonly dir: string;
  private readonly file: string;

  constructor(projectDir: string, node: string) {
    this.dir = join(projectDir, '.nix-infra', 'replacing');
    this.file = join(this.dir, node);
  }

  /** The former node left the cluster and its server is deleted: what there is of that name is the new one. */
  get gone(): boolean {
    return existsSync(this.file);
  }

  /** Whole or not at all: a run may be killed here too. */
  write(): void {
    mkdirSync(this.dir, { recursive: true, mode: 0o700 });
    writeFileSync(`${this.file}.part`, 'gone\n');
    renameSync(`${this.file}.part`, this.file);
  }

  remove(): void {
    rmSync(this.file, { force: true });
  }
}
