/** What a revision means in the simulation: which apps run on a node, and what moving between two revisions does to them. */
import { Random } from './scheduler.js';

export interface App {
  /** `group/name` */
  id: string;
  /** Declared least instances; -1 where none is declared. */
  minHealthy: number;
  on: readonly string[];
}

/** Revisions are `v0`, `v1`, …; what differs between two follows from their names alone. */
export class Content {
  constructor(
    private readonly seed: number,
    readonly apps: readonly App[],
  ) {}

  /** Apps that run on the node under the revision. */
  appsOf(node: string, revision: string): string[] {
    return this.apps
      .filter(({ id, on }) => {
        const usual = on.includes(node);
        if (revision === 'v0') return usual;
        // Now and then a revision takes an app from a node, or puts it on another one.
        return this.#chance(`${node} ${revision} ${id}`, usual ? 0.1 : 0.12) ? !usual : usual;
      })
      .map(({ id }) => id);
  }

  changes(
    node: string,
    from: string,
    to: string,
  ): { group: string; app: string; action: string; minHealthy: number }[] {
    const [old, next] = [this.appsOf(node, from), this.appsOf(node, to)];
    return this.apps.flatMap(({ id, minHealthy }) => {
      const [group = '', app = ''] = id.split('/');
      const change = (action: string) => [{ group, app, action, minHealthy }];
      if (!old.includes(id)) return next.includes(id) ? change('start') : [];
      if (!next.includes(id)) return change('stop');
      const [a, b] = from < to ? [from, to] : [to, from];
      return this.#chance(`${node} ${a} ${b} ${id}`, 0.8) ? change('restart') : [];
    });
  }

  /** Apps whose instance is away while the node moves. */
  taken(node: string, from: string, to: string): string[] {
    return this.changes(node, from, to)
      .filter(({ action }) => action !== 'start')
      .map(({ group, app }) => `${group}/${app}`);
  }

  #chance(text: string, probability: number): boolean {
    let hash = this.seed;
    for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
    return new Random(hash).chance(probability);
  }
}
