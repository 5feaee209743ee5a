/** Pure: the shell commands of a restore on a control node. Each may be run again, whatever became of a run before. */
import { shellQuoted } from '../provision/ssh-session.js';
import { keys } from '../store/keys.js';

export interface RestorePlaces {
  /** etcd's data directory. */
  data: string;
  /** Where the new data is made, on no account below `data`. */
  work: string;
  /** Where the old data goes; one per run. */
  aside: string;
  /** Who owns the data, as chown takes it. */
  owner: string;
}

/** Of a node as the NixOS module sets etcd up. */
export function placesOf(stamp: string): RestorePlaces {
  return {
    data: '/var/lib/etcd',
    work: '/var/lib/nix-infra/etcd-restore',
    aside: `/var/lib/etcd-before-${stamp}`,
    owner: 'etcd:etcd',
  };
}

export interface RestoredMember {
  name: string;
  peerUrl: string;
  /** Every member: name=url,... */
  initialCluster: string;
  /** Of the restored cluster: members of the one before must not be taken for its own. */
  token: string;
}

/** Makes the new data from the snapshot on stdin. Nothing that runs changes. */
export function prepareCommand(places: RestorePlaces, member: RestoredMember, bytes: number): string {
  const { work } = places;
  const options = {
    name: member.name,
    'initial-cluster': member.initialCluster,
    'initial-cluster-token': member.token,
    'initial-advertise-peer-urls': member.peerUrl,
    'data-dir': `${work}/data`,
  };
  const args = Object.entries(options).map(([name, value]) => `--${name}=${shellQuoted(value)}`);
  return [
    'set -eu; umask 077',
    `rm -rf ${work}; mkdir -p ${work}`,
    `cat > ${work}/snapshot.db`,
    `[ "$(wc -c < ${work}/snapshot.db)" -eq ${bytes} ] || { echo 'the snapshot did not arrive whole' >&2; exit 1; }`,
    // From etcd 3.6 on etcdctl cannot do it any more.
    'if command -v etcdutl >/dev/null; then tool=etcdutl; else tool=etcdctl; export ETCDCTL_API=3; fi',
    `$tool snapshot restore ${work}/snapshot.db ${args.join(' ')}`,
    `rm -f ${work}/snapshot.db`,
    `chown -R ${places.owner} ${work}/data`,
    'sync',
  ].join('\n');
}

export const stopCommand = 'systemctl stop nix-infra-controller etcd';

/** Puts the new data in the place of the old, which is kept. Without new data: it stands there already. */
export function swapCommand({ data, work, aside, owner }: RestorePlaces): string {
  return [
    'set -eu; umask 077',
    `[ -d ${work}/data/member ] || exit 0`,
    `mkdir -p ${data}; chown ${owner} ${data}`,
    // A cut between the two renames leaves no data at all, and is mended by the second one.
    `if [ -d ${data}/member ]; then mkdir -p ${aside}; chown ${owner} ${aside}; mv ${data}/member ${aside}/; fi`,
    `mv ${work}/data/member ${data}/member`,
    `rm -rf ${work}; sync`,
  ].join('\n');
}

/** Waits until etcd is ready, which it is with a quorum. */
export const startEtcdCommand =
  'timeout 120 systemctl start etcd || { journalctl -u etcd -n 20 --no-pager -o cat; exit 1; }';

export const startControllerCommand = 'systemctl start nix-infra-controller';

/** What watches etcd and would wait for a revision that was passed before the restore and is not there any more. */
export const restartWatchersCommand = 'systemctl try-restart confd flannel';

/** The epoch that etcd holds now, whichever member answers; nothing where there is none. */
export function readEpochCommand(etcdctl: string): string {
  return `${etcdctl} --command-timeout=3s get --consistency=s --print-value-only ${keys.epoch}`;
}

/**
 * Raises the epoch, and removes what was true of the world before: who leads, who holds which session, and, unless a rollout runs in the
 * snapshot, orders that were carried out long ago.
 */
export function raiseEpochCommand(etcdctl: string, epoch: number): string {
  const prefix = shellQuoted(keys.nodes);
  return [
    'set -eu',
    `lock=$(${etcdctl} get --print-value-only ${keys.lock})`,
    `past='/(session|prepare|prepared)$'`,
    `if [ -z "$lock" ]; then past='/(session|prepare|prepared|desired)$'; fi`,
    `${etcdctl} get --prefix --keys-only ${prefix} | grep -E "$past" | while read -r key; do ${etcdctl} del "$key" </dev/null >/dev/null; done`,
    `${etcdctl} del ${keys.leader} >/dev/null`,
    `${etcdctl} put ${keys.epoch} ${epoch} >/dev/null`,
    'if [ -n "$lock" ]; then echo "a rollout runs in it"; fi',
  ].join('\n');
}
