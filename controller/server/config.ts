/** The controller's configuration file, checked once at start. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { Problem } from '../../shared/errors.js';
import { isName } from '../../shared/names.js';

const name = z.string().refine(isName, 'not a valid name');
const file = z.string().min(1);

const shape = z.strictObject({
  /** Cluster name, as in the certificates. */
  cluster: name,
  /** Name of this controller, its node's name. */
  name,
  /** `address:port` of the gRPC listener. */
  listen: z.string().regex(/^.+:\d+$/, 'not address:port'),
  etcd: z.strictObject({ endpoints: z.array(z.url()).min(1), ca: file, cert: file, key: file }),
  tls: z.strictObject({ ca: file, cert: file, key: file }),
  /** Members whose health `status` shows; none when left out. */
  etcdMembers: z.array(z.strictObject({ name, endpoint: z.url() })).default([]),
});

export type ControllerConfig = z.infer<typeof shape>;

/** Throws `daemon.config` with the file and the first wrong key. */
export function readConfig(path: string): ControllerConfig {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw Problem.from(cause, 'daemon.config', { where: path });
  }
  const parsed = shape.safeParse(json);
  if (parsed.success) return parsed.data;
  const reason = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  throw new Problem('daemon.config', 'The configuration of the controller is not valid', {
    where: path,
    reason,
  });
}
