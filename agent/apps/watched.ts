/** One copy of an app as the supervisor follows it. */
import type { AppCopy, AppDeclaration } from './declaration.js';
import { type Instance, initialInstance, type Rules } from './instance-state.js';
import { canonicalJson, instanceId, keys } from './keys.js';

export interface Watched {
  app: AppDeclaration;
  copy: AppCopy;
  /** Id of the instance in the mesh. */
  id: string;
  /** Of the instance in etcd, and what it holds while the instance serves. */
  key: string;
  value: string;
  /** App and copy as text; another text is another instance. */
  text: string;
  instance: Instance;
  /** What was last asked of etcd for the key; 'nothing yet' before the first verdict. */
  asked: string | undefined | 'nothing yet';
  gone: boolean;
}

export function watchedOf(app: AppDeclaration, copy: AppCopy, node: string): Watched {
  const id = instanceId(node, copy.name);
  const { copies: _, ...shared } = app;
  return {
    app,
    copy,
    id,
    key: keys.instance(app.group, app.name, id),
    value: canonicalJson({ node, ipv4: app.bindIp, port: copy.port }),
    text: canonicalJson({ ...shared, copy }),
    instance: initialInstance,
    asked: 'nothing yet',
    gone: false,
  };
}

export function rulesOf({ copy: { health } }: Watched): Rules {
  return {
    rise: health.rise,
    fall: health.fall,
    startGraceMs: health.startGraceMs,
    checked: health.kind !== 'none',
  };
}

/** What etcd shall hold for the instance; 'as it is' while there is no verdict to act on. */
export function wantedOf(
  { instance, value, asked }: Watched,
  held: boolean,
): string | undefined | 'as it is' {
  // A starting instance may stand in etcd from before the agent's restart; it stays until its first verdict.
  if (instance.state === 'starting' && !held && asked === 'nothing yet') return 'as it is';
  return instance.state === 'healthy' && !held ? value : undefined;
}
