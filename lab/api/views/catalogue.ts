/** Locations, data centers, server types and prices as the API prints them. */
import { datacenterNames, type Location, locations } from '../catalogue/locations.js';
import { type ServerType, serverTypes } from '../catalogue/server-types.js';
import { price, prices } from './money.js';

const includedTraffic = 20 * 1024 ** 4;

export function locationView(location: Location) {
  return { ...location };
}

export function locationById(id: number): Location {
  const found = locations.find((location) => location.id === id);
  if (!found) throw new Error(`no location ${id} in the catalogue`);
  return found;
}

/** The removed data-center object, for the compat profile. */
export function datacenterView(location: Location) {
  const known = datacenterNames[location.name] ?? { id: location.id, name: `${location.name}-dc1` };
  const sold = serverTypes.filter((type) => type.locations.includes(location.name)).map((type) => type.id);
  return {
    id: known.id,
    name: known.name,
    description: `${location.city} virtual DC`,
    location: locationView(location),
    server_types: { supported: sold, available: sold, available_for_migration: sold },
  };
}

function typePrices(type: ServerType) {
  return type.locations.map((location) => ({
    location,
    ...prices(type.monthlyNet),
    included_traffic: includedTraffic,
    price_per_tb_traffic: price(1),
  }));
}

export function serverTypeView(type: ServerType) {
  return {
    id: type.id,
    name: type.name,
    description: type.name.toUpperCase(),
    category: type.category,
    cores: type.cores,
    memory: type.memory,
    disk: type.disk,
    storage_type: 'local',
    cpu_type: type.cpuType,
    architecture: type.architecture,
    included_traffic: 0,
    deprecated: false,
    deprecation: null,
    prices: typePrices(type),
    locations: type.locations.map((name) => ({
      id: locations.find((location) => location.name === name)?.id ?? 0,
      name,
      deprecation: null,
      available: true,
      recommended: true,
    })),
  };
}

export function pricingView() {
  return {
    currency: 'EUR',
    vat_rate: '19.00',
    image: { price_per_gb_month: price(0.0199) },
    volume: { price_per_gb_month: price(0.0572) },
    server_backup: { percentage: '20.00' },
    traffic: { price_per_tb: price(1) },
    floating_ip: { price_monthly: price(3) },
    floating_ips: [],
    primary_ips: [
      { type: 'ipv4', prices: locations.map(({ name }) => ({ location: name, ...prices('0.60') })) },
    ],
    load_balancer_types: [],
    server_types: serverTypes.map((type) => ({ id: type.id, name: type.name, prices: typePrices(type) })),
  };
}
