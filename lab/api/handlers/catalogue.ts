/** What never changes: server types, locations, data centers, prices, and the collections that are always empty. */
import { apiErrors } from '../api-error.js';
import { locations } from '../catalogue/locations.js';
import { serverTypes } from '../catalogue/server-types.js';
import { listed } from '../http/listing.js';
import { type Handler, idOf, owned } from '../http/route.js';
import { datacenterView, locationView, pricingView, serverTypeView } from '../views/catalogue.js';
import { primaryIpView } from '../views/resources.js';
import type { World } from '../world.js';

interface Named {
  id: number;
  name: string;
}

/** List and get of a fixed collection. */
export function fixedCollection<T extends Named>(
  plural: string,
  singular: string,
  rows: readonly T[],
): { list: Handler; get: Handler } {
  return {
    list: (_state, { query }) => listed(query, plural, rows, { filters: { name: (row) => row.name } }),
    get: (_state, request) => {
      const row = rows.find((candidate) => candidate.id === idOf(request));
      if (!row) throw apiErrors.notFound(singular.replaceAll('_', ' '), idOf(request));
      return { status: 200, body: { [singular]: row } };
    },
  };
}

export const serverTypeHandlers = fixedCollection(
  'server_types',
  'server_type',
  serverTypes.map(serverTypeView),
);
export const locationHandlers = fixedCollection('locations', 'location', locations.map(locationView));

const datacenters = fixedCollection('datacenters', 'datacenter', locations.map(datacenterView));

function assertCompat(world: World): void {
  if (world.profile !== 'compat') throw apiErrors.gone('datacenters', '2026-10-01-datacenters-removed');
}

export const listDatacenters: Handler = (state, request, world) => {
  assertCompat(world);
  const outcome = datacenters.list(state, request, world);
  return { ...outcome, body: { ...outcome.body, recommendation: locations.map(datacenterView)[0]?.id } };
};

export const getDatacenter: Handler = (state, request, world) => {
  assertCompat(world);
  return datacenters.get(state, request, world);
};

export const getPricing: Handler = () => ({ status: 200, body: { pricing: pricingView() } });

/** Primary IPs come and go with their servers; here they can be looked at. */
export const listPrimaryIps: Handler = (state, { query, project }, world) =>
  listed(
    query,
    'primary_ips',
    state.primaryIps.filter((ip) => ip.project === project).map((ip) => primaryIpView(ip, world.profile)),
    {
      sort: ['id', 'created'],
      filters: { name: (ip) => ip.name, ip: (ip) => ip.ip },
      labels: (ip) => ip.labels,
    },
  );

export const getPrimaryIp: Handler = (state, request, world) => ({
  status: 200,
  body: { primary_ip: primaryIpView(owned(state.primaryIps, request, 'primary IP'), world.profile) },
});

/** A collection the lab does not have: reading finds nothing, writing says why it cannot be. */
export function emptyCollection(plural: string): { list: Handler; get: Handler; create: Handler } {
  const noun = plural.replaceAll('_', ' ');
  return {
    list: (_state, { query }) => listed(query, plural, []),
    get: (_state, request) => {
      throw apiErrors.notFound(noun.replace(/s$/, ''), idOf(request));
    },
    create: () => {
      throw apiErrors.unsupported(`creating ${noun}`);
    },
  };
}
