/** Every path the lab's API answers, as one table. */
import * as actions from './handlers/actions.js';
import * as catalogue from './handlers/catalogue.js';
import * as images from './handlers/images.js';
import * as lab from './handlers/lab.js';
import * as groups from './handlers/placement-groups.js';
import * as serverActions from './handlers/server-actions.js';
import { createServer } from './handlers/server-create.js';
import * as servers from './handlers/servers.js';
import * as keys from './handlers/ssh-keys.js';
import type { Handler, Route } from './http/route.js';

/** Actions of the real API that the lab refuses by name. */
const unbuiltServerActions = [
  'add_to_load_balancer',
  'attach_iso',
  'attach_to_network',
  'change_alias_ips',
  'change_dns_ptr',
  'change_type',
  'detach_from_network',
  'detach_iso',
  'disable_backup',
  'disable_rescue',
  'enable_backup',
  'enable_rescue',
  'request_console',
  'reset_password',
];

/** Collections without anything in them. */
const emptyCollections = [
  'certificates',
  'firewalls',
  'floating_ips',
  'isos',
  'load_balancer_types',
  'load_balancers',
  'networks',
  'volumes',
];

/** Collections that have actions below them, with the name of their kind in `resources`. */
const actionCollections: readonly (readonly [plural: string, type: string])[] = [
  ['servers', 'server'],
  ['images', 'image'],
  ['primary_ips', 'primary_ip'],
  ['certificates', 'certificate'],
  ['firewalls', 'firewall'],
  ['floating_ips', 'floating_ip'],
  ['load_balancers', 'load_balancer'],
  ['networks', 'network'],
  ['volumes', 'volume'],
];

function row(method: Route['method'], path: string, handler: Handler): Route {
  return { method, path, handler };
}

function serverAction(name: string, handler: Handler): Route {
  return row('POST', `/v1/servers/:id/actions/${name}`, handler);
}

export const routes: readonly Route[] = [
  row('GET', '/v1/servers', servers.listServers),
  row('POST', '/v1/servers', createServer),
  row('GET', '/v1/servers/:id', servers.getServer),
  row('PUT', '/v1/servers/:id', servers.updateServer),
  row('DELETE', '/v1/servers/:id', servers.deleteServer),
  serverAction('poweron', serverActions.powerHandler('start_server')),
  serverAction('poweroff', serverActions.powerHandler('stop_server')),
  serverAction('shutdown', serverActions.powerHandler('shutdown_server')),
  serverAction('reboot', serverActions.powerHandler('reboot_server')),
  serverAction('reset', serverActions.powerHandler('reset_server')),
  serverAction('rebuild', serverActions.rebuildServer),
  serverAction('create_image', serverActions.createImage),
  serverAction('change_protection', serverActions.protectServer),
  serverAction('add_to_placement_group', serverActions.joinPlacementGroup),
  serverAction('remove_from_placement_group', serverActions.leavePlacementGroup),
  ...unbuiltServerActions.map((name) => serverAction(name, serverActions.unbuiltAction(name))),

  row('GET', '/v1/ssh_keys', keys.listSshKeys),
  row('POST', '/v1/ssh_keys', keys.createSshKey),
  row('GET', '/v1/ssh_keys/:id', keys.getSshKey),
  row('PUT', '/v1/ssh_keys/:id', keys.updateSshKey),
  row('DELETE', '/v1/ssh_keys/:id', keys.deleteSshKey),

  row('GET', '/v1/placement_groups', groups.listPlacementGroups),
  row('POST', '/v1/placement_groups', groups.createPlacementGroup),
  row('GET', '/v1/placement_groups/:id', groups.getPlacementGroup),
  row('PUT', '/v1/placement_groups/:id', groups.updatePlacementGroup),
  row('DELETE', '/v1/placement_groups/:id', groups.deletePlacementGroup),

  row('GET', '/v1/images', images.listImages),
  row('GET', '/v1/images/:id', images.getImage),
  row('PUT', '/v1/images/:id', images.updateImage),
  row('DELETE', '/v1/images/:id', images.deleteImage),
  row('POST', '/v1/images/:id/actions/change_protection', images.protectImage),

  row('GET', '/v1/server_types', catalogue.serverTypeHandlers.list),
  row('GET', '/v1/server_types/:id', catalogue.serverTypeHandlers.get),
  row('GET', '/v1/locations', catalogue.locationHandlers.list),
  row('GET', '/v1/locations/:id', catalogue.locationHandlers.get),
  row('GET', '/v1/datacenters', catalogue.listDatacenters),
  row('GET', '/v1/datacenters/:id', catalogue.getDatacenter),
  row('GET', '/v1/pricing', catalogue.getPricing),
  row('GET', '/v1/primary_ips', catalogue.listPrimaryIps),
  row('GET', '/v1/primary_ips/:id', catalogue.getPrimaryIp),
  row('POST', '/v1/primary_ips', catalogue.emptyCollection('primary_ips').create),
  ...emptyCollections.flatMap((plural) => {
    const { list, get, create } = catalogue.emptyCollection(plural);
    return [
      row('GET', `/v1/${plural}`, list),
      row('GET', `/v1/${plural}/:id`, get),
      row('POST', `/v1/${plural}`, create),
    ];
  }),

  row('GET', '/v1/actions', actions.listByIds),
  row('GET', '/v1/actions/:id', actions.getAction),
  ...actionCollections.flatMap(([plural, type]) => {
    const handlers = actions.actionHandlers(type);
    return [
      row('GET', `/v1/${plural}/actions`, handlers.all),
      row('GET', `/v1/${plural}/actions/:id`, handlers.one),
      row('GET', `/v1/${plural}/:id/actions`, handlers.ofResource),
      row('GET', `/v1/${plural}/:id/actions/:action`, handlers.oneOfResource),
    ];
  }),

  row('GET', '/_lab/state', lab.labState),
  row('GET', '/_lab/faults', lab.listFaults),
  row('POST', '/_lab/faults', lab.addFault),
  row('DELETE', '/_lab/faults', lab.clearFaults),
  row('DELETE', '/_lab/faults/:id', lab.removeFault),
  row('POST', '/_lab/servers/:name/kill', lab.serverVerb('kill')),
  row('POST', '/_lab/servers/:name/cut', lab.serverVerb('cut')),
  row('POST', '/_lab/servers/:name/heal', lab.serverVerb('heal')),
  row('POST', '/_lab/servers/:name/start', lab.serverVerb('start')),
];
