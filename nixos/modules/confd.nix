# confd: renders files from etcd and watches for changes. What it renders is declared by other modules.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.infrastructure.confd;
  cluster = config.infrastructure.cluster;
  certificates = config.infrastructure.certificates;
  inherit (cluster) node;

  clientCert = "${certificates.directory}/${node.name}-client-tls.cert.pem";
  clientKey = "${certificates.directory}/${node.name}-client-tls.key.pem";

  # Strings, numbers, booleans and lists of strings are written alike in JSON and TOML.
  toToml = lib.concatMapStrings (line: line + "\n");
  assign = key: value: "${key} = ${builtins.toJSON value}";

  mainConfig = pkgs.writeText "confd.toml" (toToml [
    (assign "backend" "etcdv3")
    (assign "nodes" (map (member: "https://${member.ip}:2379") cfg.etcdCluster))
    (assign "scheme" "https")
    (assign "client_cakeys" certificates.ca)
    (assign "client_cert" clientCert)
    (assign "client_key" clientKey)
    (assign "confdir" "/etc/confd")
    (assign "watch" true)
    (assign "log-level" "info")
  ]);

  resourceConfig =
    name: template:
    pkgs.writeText "${name}.toml" (
      toToml (
        [
          "[template]"
          (assign "src" "${name}.tmpl")
          (assign "dest" template.destination)
          (assign "keys" template.keys)
          (assign "mode" "0644")
        ]
        ++ lib.optional (template.checkCommand != null) (assign "check_cmd" template.checkCommand)
        ++ lib.optional (template.reloadCommand != null) (assign "reload_cmd" template.reloadCommand)
      )
    );

  files = {
    "confd/confd.toml" = mainConfig;
  }
  // lib.concatMapAttrs (name: template: {
    "confd/conf.d/${name}.toml" = resourceConfig name template;
    "confd/templates/${name}.tmpl" = template.source;
  }) cfg.templates;

  templateOptions = {
    source = mkOption {
      type = types.path;
      description = "The template; not a secret, it goes to the store.";
    };
    destination = mkOption {
      type = types.str;
      description = "File to write, by rename. Its directory must exist.";
    };
    keys = mkOption {
      type = types.listOf types.str;
      description = "etcd prefixes that the template reads and confd watches.";
    };
    checkCommand = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "Run with `{{.src}}` as the new file; a failure keeps the old file.";
    };
    reloadCommand = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "Run after the file has changed.";
    };
  };
in
{
  options.infrastructure.confd = {
    enable = lib.mkEnableOption "confd";
    package = mkOption {
      type = types.package;
      default = pkgs.confd;
      defaultText = lib.literalExpression "pkgs.confd";
      description = "confd to run.";
    };
    etcdCluster = mkOption {
      type = types.listOf (types.attrsOf types.str);
      default = map (member: {
        inherit (member) name;
        ip = member.ipv4;
      }) cluster.control;
      defaultText = lib.literalExpression "the control nodes of cluster.json";
      description = "etcd members, as `{ name, ip }`.";
    };
    etcdctlEnvVars = mkOption {
      type = types.lines;
      default = ''
        export ETCDCTL_API=3
        export ETCDCTL_DIAL_TIMEOUT=3s
        export ETCDCTL_CACERT=${certificates.ca}
        export ETCDCTL_CERT=${clientCert}
        export ETCDCTL_KEY=${clientKey}
      '';
      defaultText = lib.literalExpression "export lines for this node's client certificate";
      description = "Shell lines that let etcdctl talk to the cluster from this node.";
    };
    templates = mkOption {
      type = types.attrsOf (types.submodule { options = templateOptions; });
      default = { };
      description = "What confd renders, by file name.";
    };
  };

  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ cfg.package ];
    environment.etc = lib.mapAttrs (_: source: { inherit source; }) files;

    systemd.services.confd = {
      description = "confd, renders configuration from etcd";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [
        "network-online.target"
        "haproxy.service"
      ];
      # It ends when etcd is away at its start: go on trying, the files it wrote before stay in service.
      startLimitIntervalSec = 0;
      restartTriggers = lib.attrValues files;
      serviceConfig = {
        ExecStart = "${cfg.package}/bin/confd -config-file /etc/confd/confd.toml";
        Restart = "always";
        RestartSec = "2s";
        # No WatchdogSec: confd never tells systemd that it is alive. That what it writes follows etcd is watched by the agent,
        # which restarts this unit when it lags (agent/mesh/renderer.ts). One that hangs shall not hold that up.
        TimeoutStopSec = "5s";
        NoNewPrivileges = true;
        ProtectSystem = "strict";
        # Beside the rendered files, confd and the commands it runs have nothing to write.
        ReadWritePaths = lib.unique (
          lib.mapAttrsToList (_: template: builtins.dirOf template.destination) cfg.templates
        );
        ProtectKernelTunables = true;
        ProtectKernelModules = true;
        ProtectControlGroups = true;
        PrivateTmp = true;
        RestrictAddressFamilies = [
          "AF_INET"
          "AF_INET6"
          "AF_UNIX"
        ];
        LockPersonality = true;
      };
    };
  };
}
