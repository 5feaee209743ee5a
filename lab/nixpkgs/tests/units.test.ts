import { beforeAll, describe, expect, it } from 'vitest';
import { evaluateAll } from './nix.js';

/** Store paths without their hashes, the environment of every unit left out: what is left is worth comparing by eye. */
function readable(text: unknown): string {
  return String(text)
    .replace(/\/nix\/store\/[a-z0-9]{32}-/g, '@')
    .split('\n')
    .filter((line) => !/^Environment="(LOCALE_ARCHIVE|TZDIR)=/.test(line))
    .join('\n');
}

const unit = (name: string, module: string) => `(nixos (${module})).config.systemd.units."${name}".text`;
const script = (module: string) => `(nixos (${module})).config.systemd.services.a.serviceConfig.ExecStart`;
const noPath = 'path = lib.mkForce [ ];';

/** Name, expression, text. */
const golden: readonly (readonly [string, string, string])[] = [
  [
    'settings are sorted, marks and environment stand before them',
    unit(
      'a.service',
      `{ systemd.services.a = { ${noPath} description = "A"; wantedBy = [ "multi-user.target" ]; after = [ "b.service" "c.service" ]; environment = { B = "2"; A = "x y"; N = null; }; restartIfChanged = false; stopIfChanged = false; serviceConfig = { Type = "exec"; ExecStart = "/bin/a"; ExecStartPre = [ "/bin/1" "/bin/2" ]; PrivateTmp = true; }; }; }`,
    ),
    '[Unit]\nAfter=b.service c.service\nDescription=A\n\n[Service]\nEnvironment="A=x y"\nEnvironment="B=2"\nX-RestartIfChanged=false\nX-StopIfChanged=false\nExecStart=/bin/a\nExecStartPre=/bin/1\nExecStartPre=/bin/2\nPrivateTmp=true\nType=exec\n\n[Install]\nWantedBy=multi-user.target\n',
  ],
  [
    'scripts become ExecStart with their arguments',
    unit(
      'a.service',
      `{ systemd.services.a = { ${noPath} script = "true"; scriptArgs = "x"; preStart = "true"; postStop = "true"; reload = "true"; }; }`,
    ),
    '[Unit]\n\n[Service]\nExecReload=@unit-script-a-reload/bin/a-reload\nExecStart=@unit-script-a-start/bin/a-start x\nExecStartPre=@unit-script-a-pre-start/bin/a-pre-start\nExecStopPost=@unit-script-a-post-stop/bin/a-post-stop\n',
  ],
  [
    'without arguments a blank stays behind',
    script('{ systemd.services.a.script = "true"; }'),
    '@unit-script-a-start/bin/a-start ',
  ],
  [
    'preStart comes before the ExecStartPre of the user',
    unit(
      'a.service',
      `{ systemd.services.a = { ${noPath} preStart = "true"; serviceConfig.ExecStartPre = [ "/bin/user" ]; }; }`,
    ),
    '[Unit]\n\n[Service]\nExecStartPre=@unit-script-a-pre-start/bin/a-pre-start\nExecStartPre=/bin/user\n',
  ],
  [
    'triggers are files',
    unit(
      'a.service',
      `{ systemd.services.a = { ${noPath} restartTriggers = [ "x" [ 1 2 ] ]; reloadTriggers = [ "y" ]; }; }`,
    ),
    '[Unit]\nX-Reload-Triggers=@X-Reload-Triggers-a\nX-Restart-Triggers=@X-Restart-Triggers-a\n\n[Service]\n',
  ],
  [
    'reloadIfChanged hides restartIfChanged',
    unit(
      'a.service',
      `{ systemd.services.a = { ${noPath} reloadIfChanged = true; restartIfChanged = false; }; }`,
    ),
    '[Unit]\n\n[Service]\nX-ReloadIfChanged=true\n',
  ],
  [
    'startLimit options',
    unit(
      'a.service',
      `{ systemd.services.a = { ${noPath} startLimitBurst = 3; startLimitIntervalSec = 0; }; }`,
    ),
    '[Unit]\nStartLimitBurst=3\nStartLimitIntervalSec=0\n\n[Service]\n',
  ],
  [
    'the path: own packages first, then five of the system, bin and sbin',
    unit('a.service', '{ pkgs, ... }: { systemd.services.a.path = [ pkgs.jq ]; }'),
    '[Unit]\n\n[Service]\nEnvironment="PATH=@jq-0/bin:@coreutils-9.7/bin:@findutils-0/bin:@gnugrep-0/bin:@gnused-0/bin:@systemd-257.5/bin:@jq-0/sbin:@coreutils-9.7/sbin:@findutils-0/sbin:@gnugrep-0/sbin:@gnused-0/sbin:@systemd-257.5/sbin"\n',
  ],
  [
    'startAt makes a timer',
    unit('a.timer', '{ systemd.services.a.startAt = "daily"; }'),
    '[Unit]\n\n[Timer]\nOnCalendar=daily\n\n\n[Install]\nWantedBy=timers.target\n',
  ],
  [
    'a target has no section of its own',
    unit('a.target', '{ systemd.targets.a = { description = "T"; wantedBy = [ "multi-user.target" ]; }; }'),
    '[Unit]\nDescription=T\n\n',
  ],
  [
    'a socket',
    unit(
      'a.socket',
      '{ systemd.sockets.a = { listenStreams = [ "80" "/run/a" ]; socketConfig.Accept = false; }; }',
    ),
    '[Unit]\n\n[Socket]\nAccept=false\n\nListenStream=80\nListenStream=/run/a\n\n',
  ],
  [
    'a path unit',
    unit('a.path', '{ systemd.paths.a.pathConfig.PathChanged = "/x"; }'),
    '[Unit]\n\n[Path]\nPathChanged=/x\n\n',
  ],
  [
    'a slice',
    unit('a.slice', '{ systemd.slices.a.sliceConfig.MemoryMax = "1G"; }'),
    '[Unit]\n\n[Slice]\nMemoryMax=1G\n\n',
  ],
  [
    'a mount is named by its place',
    unit(
      'mnt-a\\\\x2db.mount',
      '{ systemd.mounts = [ { what = "tmpfs"; where = "/mnt/a-b"; type = "tmpfs"; options = "size=1M"; } ]; }',
    ),
    '[Unit]\n\n[Mount]\nOptions=size=1M\nType=tmpfs\nWhat=tmpfs\nWhere=/mnt/a-b\n\n',
  ],
  [
    'the environment is quoted for systemd',
    unit('a.service', `{ systemd.services.a = { ${noPath} environment.Q = "say \\"hi\\" \\\\ %i"; }; }`),
    '[Unit]\n\n[Service]\nEnvironment="Q=say \\"hi\\" \\\\ %i"\n',
  ],
  [
    'services.haproxy',
    unit(
      'haproxy.service',
      '{ services.haproxy = { enable = true; config = "x"; }; systemd.services.haproxy.path = lib.mkForce [ ]; }',
    ),
    '[Unit]\nAfter=network.target\nDescription=HAProxy\n\n[Service]\nAmbientCapabilities=CAP_NET_BIND_SERVICE\nExecReload=@haproxy-3.1.7/bin/haproxy -c -f @haproxy.conf\nExecReload=@coreutils-9.7/bin/ln -sf @haproxy-3.1.7/bin/haproxy /run/haproxy/haproxy\nExecReload=@coreutils-9.7/bin/kill -USR2 $MAINPID\nExecStart=/run/haproxy/haproxy -Ws -f /etc/haproxy.cfg -p /run/haproxy/haproxy.pid\nExecStartPre=@coreutils-9.7/bin/ln -sf @haproxy-3.1.7/bin/haproxy /run/haproxy/haproxy\nExecStartPre=/run/haproxy/haproxy -c -f @haproxy.conf\nGroup=haproxy\nKillMode=mixed\nNoNewPrivileges=true\nProtectControlGroups=true\nProtectHome=true\nProtectKernelModules=true\nProtectKernelTunables=true\nProtectSystem=strict\nRestart=always\nRuntimeDirectory=haproxy\nSuccessExitStatus=143\nSystemCallFilter=~@cpu-emulation @keyring @module @obsolete @raw-io @reboot @swap @sync\nType=notify\nUser=haproxy\n\n[Install]\nWantedBy=multi-user.target\n',
  ],
  [
    'services.flannel',
    unit(
      'flannel.service',
      '{ services.flannel = { enable = true; network = "10.0.0.0/8"; etcd.endpoints = [ "https://e:2379" ]; iface = "eth0"; }; systemd.services.flannel.path = lib.mkForce [ ]; }',
    ),
    '[Unit]\nAfter=network.target\nDescription=Flannel Service\n\n[Service]\nEnvironment="ETCDCTL_API=3"\nEnvironment="ETCDCTL_ENDPOINTS=https://e:2379"\nEnvironment="FLANNELD_ETCD_ENDPOINTS=https://e:2379"\nEnvironment="FLANNELD_IFACE=eth0"\nExecStart=@flannel-0.26.7/bin/flannel\nExecStartPre=@unit-script-flannel-pre-start/bin/flannel-pre-start\nRestart=always\nRestartSec=10s\nRuntimeDirectory=flannel\n\n[Install]\nWantedBy=multi-user.target\n',
  ],
  [
    'services.dockerRegistry runs a script',
    unit(
      'docker-registry.service',
      '{ services.dockerRegistry.enable = true; systemd.services.docker-registry.path = lib.mkForce [ ]; }',
    ),
    '[Unit]\nAfter=network.target\nDescription=Docker Container Registry\n\n[Service]\nExecStart=@unit-script-docker-registry-start/bin/docker-registry-start \nUser=docker-registry\nWorkingDirectory=/var/lib/docker-registry\n\n[Install]\nWantedBy=multi-user.target\n',
  ],
];

describe('the text of units', () => {
  let texts: Record<string, unknown> = {};
  beforeAll(async () => {
    texts = await evaluateAll(Object.fromEntries(golden.map(([name, expression]) => [name, expression])));
  });
  it.each(golden)('%s', (name, _expression, expected) => {
    expect(readable(texts[name])).toBe(expected);
  });
});
