/** Pure: the values of the mesh's keys, read strictly, by the rules of nixos/modules/haproxy/mesh.cfg.tmpl. */
import { isName } from '../../shared/names.js';
import { type RawField, rawFields } from './raw-json.js';

export interface MetaData {
  port: number;
  http: boolean;
  /** Empty where the app declares none. */
  healthPath: string;
  /** A health path is declared that cannot be used. */
  pathRefused: boolean;
}

/** What the fields at a path say: the last of them, unless the container they are in is written again later. */
function last(fields: readonly RawField[], path: string, kind: RawField['kind'], around: string): string {
  const [outer = ''] = path.split('/');
  let found = '';
  for (const field of fields) {
    if (field.path === path && field.around === around) found = field.kind === kind ? field.raw : '';
    else if (field.path === outer && field.around === 'o') found = '';
  }
  return found;
}

/** A port in plain digits, 1 to 65535; 0 for anything else. */
function port(raw: string): number {
  return /^[1-9][0-9]{0,4}$/.test(raw) && Number(raw) <= 65_535 ? Number(raw) : 0;
}

/** An address that can be reached: not `this network` (to haproxy "where the client went"), not multicast. */
export function isServerAddress(ipv4: string): boolean {
  const octets = ipv4.split('.');
  const first = Number(octets[0]);
  return (
    octets.length === 4 &&
    octets.every((octet) => /^(0|[1-9][0-9]{0,2})$/.test(octet) && Number(octet) <= 255) &&
    first > 0 &&
    first < 224
  );
}

/** `<node>`, or `<node>.<n>` where a node runs more than one copy. */
export function isInstanceId(id: string): boolean {
  const [, node = '', copy] = /^([^.]*)(\..*)?$/s.exec(id) ?? [];
  return isName(node) && (copy === undefined || /^\.[0-9]{1,5}$/.test(copy));
}

/** What an app says of itself; undefined when that is not sound. */
export function readMetaData(value: Buffer): MetaData | undefined {
  const fields = rawFields(value);
  if (!fields) return undefined;
  const at = port(last(fields, 'publish/port', 'plain', 'oo'));
  if (at === 0) return undefined;
  const path = last(fields, 'health/path', 'text', 'oo');
  const usable = /^\/[A-Za-z0-9._~/?=&-]{0,199}$/.test(path);
  return {
    port: at,
    http: last(fields, 'env/PROTOCOL', 'text', 'oo') === 'http',
    healthPath: usable ? path : '',
    pathRefused: path !== '' && !usable,
  };
}

/** Where an instance is, as `address:port`; undefined when that is not sound. */
export function readInstance(value: Buffer): string | undefined {
  const fields = rawFields(value);
  if (!fields) return undefined;
  const ipv4 = last(fields, 'ipv4', 'text', 'o');
  const at = port(last(fields, 'port', 'plain', 'o'));
  return at !== 0 && isServerAddress(ipv4) ? `${ipv4}:${at}` : undefined;
}

/** The groups of a node's registration; undefined when it is not sound. */
export function readServices(value: Buffer): string[] | undefined {
  const fields = rawFields(value);
  if (!fields) return undefined;
  const own = fields.filter(({ path }) => path === 'services');
  const begin = own.findLastIndex(({ around }) => around === 'o');
  if (own[begin]?.kind !== 'list') return undefined;
  return (
    own
      .slice(begin + 1)
      .filter(({ kind, around }) => kind === 'text' && around === 'ol')
      // The template joins them by this sign.
      .flatMap(({ raw }) => raw.split('|'))
  );
}
