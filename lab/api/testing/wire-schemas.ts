/** Every field of every answer, as reference lists: a missing, extra or wrongly typed one fails the test that met it. */
import { z } from 'zod';

const id = z.int().positive();
const time = z.iso.datetime({ offset: true });
const labels = z.record(z.string(), z.string());
const money = z.strictObject({
  net: z.string().regex(/^\d+\.\d+$/),
  gross: z.string().regex(/^\d+\.\d+$/),
});
const ref = z.strictObject({ id, type: z.string() });

const action = z.strictObject({
  id,
  command: z.string(),
  status: z.enum(['running', 'success', 'error']),
  progress: z.int().min(0).max(100),
  started: time,
  finished: time.nullable(),
  resources: z.array(ref),
  error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
});
const sshKey = z.strictObject({
  id,
  name: z.string(),
  fingerprint: z.string().regex(/^([0-9a-f]{2}:){15}[0-9a-f]{2}$/),
  public_key: z.string(),
  labels,
  created: time,
});
const placementGroup = z.strictObject({
  id,
  name: z.string(),
  labels,
  type: z.literal('spread'),
  servers: z.array(id),
  created: time,
});
const location = z.strictObject({
  id,
  name: z.string(),
  description: z.string(),
  country: z.string(),
  city: z.string(),
  latitude: z.number(),
  longitude: z.number(),
  network_zone: z.string(),
});
const datacenter = z.strictObject({
  id,
  name: z.string(),
  description: z.string(),
  location,
  server_types: z.strictObject({
    supported: z.array(id),
    available: z.array(id),
    available_for_migration: z.array(id),
  }),
});
const typePrice = z.strictObject({
  location: z.string(),
  price_hourly: money,
  price_monthly: money,
  included_traffic: z.int(),
  price_per_tb_traffic: money,
});
const serverType = z.strictObject({
  id,
  name: z.string(),
  description: z.string(),
  category: z.string(),
  cores: z.int(),
  memory: z.number(),
  disk: z.int(),
  storage_type: z.string(),
  cpu_type: z.string(),
  architecture: z.enum(['x86', 'arm']),
  included_traffic: z.int(),
  deprecated: z.boolean(),
  deprecation: z.null(),
  prices: z.array(typePrice),
  locations: z.array(
    z.strictObject({
      id,
      name: z.string(),
      deprecation: z.null(),
      available: z.boolean(),
      recommended: z.boolean(),
    }),
  ),
});
const image = z.strictObject({
  id,
  type: z.enum(['system', 'snapshot']),
  status: z.enum(['available', 'creating']),
  name: z.string().nullable(),
  description: z.string(),
  image_size: z.number().nullable(),
  disk_size: z.int(),
  created: time,
  created_from: z.strictObject({ id, name: z.string() }).nullable(),
  bound_to: z.null(),
  os_flavor: z.string(),
  os_version: z.string().nullable(),
  architecture: z.enum(['x86', 'arm']),
  rapid_deploy: z.boolean(),
  protection: z.strictObject({ delete: z.boolean() }),
  deprecated: z.null(),
  deleted: z.null(),
  labels,
});
const primaryIp = z.strictObject({
  id,
  name: z.string(),
  type: z.enum(['ipv4', 'ipv6']),
  ip: z.string(),
  assignee_id: id.nullable(),
  assignee_type: z.enum(['server', 'unassigned']),
  auto_delete: z.boolean(),
  blocked: z.boolean(),
  dns_ptr: z.array(z.strictObject({ ip: z.string(), dns_ptr: z.string() })),
  protection: z.strictObject({ delete: z.boolean() }),
  labels,
  location,
  created: time,
  datacenter: datacenter.optional(),
});
const server = z.strictObject({
  id,
  name: z.string(),
  status: z.enum([
    'initializing',
    'starting',
    'running',
    'stopping',
    'off',
    'rebuilding',
    'deleting',
    'unknown',
  ]),
  created: time,
  labels,
  locked: z.boolean(),
  public_net: z.strictObject({
    ipv4: z.strictObject({ id, ip: z.ipv4(), blocked: z.boolean(), dns_ptr: z.string() }),
    ipv6: z
      .strictObject({
        id,
        ip: z.string().regex(/::\/64$/),
        blocked: z.boolean(),
        dns_ptr: z.array(z.never()),
      })
      .nullable(),
    floating_ips: z.array(z.never()),
    firewalls: z.array(z.never()),
  }),
  private_net: z.array(z.never()),
  server_type: serverType,
  image: image.nullable(),
  iso: z.null(),
  location,
  datacenter: datacenter.optional(),
  placement_group: placementGroup.nullable(),
  volumes: z.array(z.never()),
  load_balancers: z.array(z.never()),
  primary_disk_size: z.int(),
  included_traffic: z.int(),
  outgoing_traffic: z.int(),
  ingoing_traffic: z.int(),
  backup_window: z.null(),
  rescue_enabled: z.boolean(),
  protection: z.strictObject({ delete: z.boolean(), rebuild: z.boolean() }),
});
const page = z.int().positive();
const meta = z.strictObject({
  pagination: z.strictObject({
    page,
    per_page: page,
    previous_page: page.nullable(),
    next_page: page.nullable(),
    last_page: page,
    total_entries: z.int().min(0),
  }),
});
const error = z.strictObject({
  code: z.string().min(1),
  message: z.string().min(1),
  details: z.record(z.string(), z.unknown()).nullable(),
});
const pricing = z.strictObject({
  currency: z.string(),
  vat_rate: z.string(),
  image: z.strictObject({ price_per_gb_month: money }),
  volume: z.strictObject({ price_per_gb_month: money }),
  server_backup: z.strictObject({ percentage: z.string() }),
  traffic: z.strictObject({ price_per_tb: money }),
  floating_ip: z.strictObject({ price_monthly: money }),
  floating_ips: z.array(z.never()),
  primary_ips: z.array(
    z.strictObject({
      type: z.string(),
      prices: z.array(z.strictObject({ location: z.string(), price_hourly: money, price_monthly: money })),
    }),
  ),
  load_balancer_types: z.array(z.never()),
  server_types: z.array(z.strictObject({ id, name: z.string(), prices: z.array(typePrice) })),
});

/** What may stand at the top of an answer below /v1, by key. */
export const wireSchemas: Readonly<Record<string, z.ZodType>> = {
  action: action.nullable(),
  actions: z.array(action),
  next_actions: z.array(action),
  ssh_key: sshKey,
  ssh_keys: z.array(sshKey),
  placement_group: placementGroup,
  placement_groups: z.array(placementGroup),
  location,
  locations: z.array(location),
  datacenter,
  datacenters: z.array(datacenter),
  recommendation: id,
  server_type: serverType,
  server_types: z.array(serverType),
  image,
  images: z.array(image),
  primary_ip: primaryIp,
  primary_ips: z.array(primaryIp),
  server,
  servers: z.array(server),
  root_password: z.string().min(1).nullable(),
  pricing,
  meta,
  error,
  certificates: z.array(z.never()),
  firewalls: z.array(z.never()),
  floating_ips: z.array(z.never()),
  isos: z.array(z.never()),
  load_balancer_types: z.array(z.never()),
  load_balancers: z.array(z.never()),
  networks: z.array(z.never()),
  volumes: z.array(z.never()),
};

/** Checks a whole answer; returns what is wrong with it, or undefined. A list without `meta` is wrong too. */
export function answerFault(body: object): string | undefined {
  for (const [key, value] of Object.entries(body)) {
    const result = wireSchemas[key]?.safeParse(value);
    if (!result) return `unknown key ${key}`;
    if (!result.success) return `${key}: ${z.prettifyError(result.error)}`;
  }
  const isList = Object.values(body).some(Array.isArray) && !('next_actions' in body);
  return isList && !('meta' in body) ? 'a list without meta' : undefined;
}
