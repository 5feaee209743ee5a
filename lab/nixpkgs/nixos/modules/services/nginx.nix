# services.nginx: the options that a reverse proxy needs, with NixOS's names, types and defaults; the unit and the way its
# configuration is reloaded are the real module's, the text of the configuration says the same in its own layout.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types optionalString;
  cfg = config.services.nginx;
  vhostOptions = import ./nginx/vhost-options.nix { inherit lib; };
  text = import ./nginx/config-text.nix { inherit config lib pkgs; };
  bool = default: description: mkOption { type = types.bool; inherit default description; };
  lines = description: mkOption { type = types.lines; default = ""; inherit description; };
  optionalInt = default: description: mkOption { type = types.nullOr types.ints.positive; inherit default description; };

  configPath = if cfg.enableReload then "/etc/nginx/nginx.conf" else text.configFile;
  command = "${cfg.package}/bin/nginx -c '${configPath}'";
in
{
  options.services.nginx = {
    enable = lib.mkEnableOption "Nginx Web Server";
    package = mkOption { type = types.package; default = pkgs.nginxStable; apply = p: p; description = "Package to run."; };
    user = mkOption { type = types.str; default = "nginx"; description = "Account of the workers."; };
    group = mkOption { type = types.str; default = "nginx"; description = "Its group."; };
    statusPage = bool false "Whether /nginx_status answers on localhost.";
    recommendedTlsSettings = bool false "Whether the recommended TLS settings are used.";
    recommendedOptimisation = bool false "Whether the recommended optimisations are used.";
    recommendedGzipSettings = bool false "Whether the recommended gzip settings are used.";
    recommendedBrotliSettings = bool false "Recorded only: Debian's nginx has no brotli.";
    recommendedZstdSettings = bool false "Recorded only: Debian's nginx has no zstd.";
    recommendedProxySettings = bool false "Whether the recommended proxy settings are used.";
    proxyTimeout = mkOption { type = types.str; default = "60s"; description = "Timeouts towards proxied servers."; };
    enableReload = bool false "Whether a changed configuration reloads instead of restarting.";
    enableQuicBPF = bool false "Recorded only.";
    logError = mkOption { type = types.str; default = "stderr"; description = "Where errors are logged."; };
    preStart = lines "Shell before the start.";
    config = lines "The whole configuration, instead of the rest.";
    appendConfig = lines "Lines after the rest.";
    eventsConfig = lines "Lines of the events block.";
    commonHttpConfig = lines "Lines of the http block, before the servers.";
    httpConfig = lines "The whole http block.";
    streamConfig = lines "Lines of the stream block.";
    appendHttpConfig = lines "Lines at the end of the http block.";
    commonServerConfig = lines "Lines of each server.";
    clientMaxBodySize = mkOption { type = types.str; default = "10m"; description = "Largest request body."; };
    serverTokens = bool false "Whether the version is told.";
    serverNamesHashBucketSize = optionalInt null "Size of the hash bucket of server names.";
    serverNamesHashMaxSize = optionalInt null "Size of the hash of server names.";
    mapHashBucketSize = mkOption { type = types.nullOr (types.enum [ 32 64 128 ]); default = null; description = "Size of a hash bucket of maps."; };
    mapHashMaxSize = optionalInt null "Size of the hash of maps.";
    sslCiphers = mkOption { type = types.nullOr types.str; default = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"; description = "Ciphers."; };
    sslProtocols = mkOption { type = types.str; default = "TLSv1.2 TLSv1.3"; description = "Versions of TLS."; };
    sslDhparam = mkOption { type = types.nullOr types.path; default = null; description = "DH parameters."; };
    defaultHTTPListenPort = mkOption { type = types.port; default = 80; description = "Port of plain servers."; };
    defaultSSLListenPort = mkOption { type = types.port; default = 443; description = "Port of TLS servers."; };
    defaultListenAddresses = mkOption {
      type = types.listOf types.str;
      default = [ "0.0.0.0" ] ++ lib.optional config.networking.enableIPv6 "[::0]";
      description = "Where servers listen.";
    };
    resolver = mkOption {
      default = { };
      description = "Name servers of nginx.";
      type = types.submodule {
        options = {
          addresses = mkOption { type = types.listOf types.str; default = [ ]; description = "Addresses."; };
          valid = mkOption { type = types.str; default = ""; description = "How long answers are kept."; };
          ipv4 = bool true "Whether IPv4 is asked for.";
          ipv6 = bool config.networking.enableIPv6 "Whether IPv6 is asked for.";
        };
      };
    };
    upstreams = mkOption {
      default = { };
      description = "Groups of servers to proxy to.";
      type = types.attrsOf (types.submodule {
        options = {
          servers = mkOption {
            default = { };
            description = "Servers by address, with their parameters.";
            type = types.attrsOf (types.submodule {
              freeformType = types.attrsOf (types.oneOf [ types.bool types.int types.str ]);
              options.backup = bool false "Whether it only helps out.";
            });
          };
          extraConfig = lines "Lines of the upstream.";
        };
      });
    };
    virtualHosts = mkOption {
      type = types.attrsOf (types.submodule vhostOptions);
      default = { localhost = { }; };
      description = "Servers by name.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = lib.concatLists (
      lib.mapAttrsToList (
        name: vhost:
        [
          {
            assertion = lib.count lib.id [ vhost.addSSL vhost.onlySSL vhost.forceSSL vhost.rejectSSL ] <= 1;
            message = "Options services.nginx.virtualHosts.${name}.addSSL, onlySSL, forceSSL and rejectSSL are mutually exclusive.";
          }
          {
            assertion = !(vhost.enableACME && vhost.useACMEHost != null);
            message = "Options services.nginx.virtualHosts.${name}.enableACME and useACMEHost are mutually exclusive.";
          }
        ]
        ++ lib.mapAttrsToList (location: l: {
          assertion = !(l.root != null && l.alias != null);
          message = "Only one of nginx root or alias can be specified on a location (${name}, ${location}).";
        }) vhost.locations
      ) cfg.virtualHosts
    );

    environment.etc."nginx/nginx.conf" = lib.mkIf cfg.enableReload { source = text.configFile; };
    security.acme.certs = lib.mkMerge (map text.acmeCert text.acmeVhosts);

    systemd.services.nginx = {
      description = "Nginx Web Server";
      wantedBy = [ "multi-user.target" ];
      after = [ "network.target" ];
      stopIfChanged = false;
      preStart = ''
        ${cfg.preStart}
        ${command} -t
      '';
      startLimitIntervalSec = 60;
      serviceConfig = {
        ExecStart = command;
        ExecReload = [ "${command} -t" "${pkgs.coreutils}/bin/kill -HUP $MAINPID" ];
        Restart = "always";
        RestartSec = "10s";
        User = cfg.user;
        Group = cfg.group;
        RuntimeDirectory = "nginx";
        RuntimeDirectoryMode = "0750";
        CacheDirectory = "nginx";
        CacheDirectoryMode = "0750";
        LogsDirectory = "nginx";
        LogsDirectoryMode = "0750";
        UMask = "0027";
        AmbientCapabilities = [ "CAP_NET_BIND_SERVICE" "CAP_SYS_RESOURCE" ];
        CapabilityBoundingSet = [ "CAP_NET_BIND_SERVICE" "CAP_SYS_RESOURCE" ];
        NoNewPrivileges = true;
        ProtectSystem = "strict";
        ProtectHome = lib.mkDefault true;
        PrivateTmp = true;
        PrivateDevices = true;
        RestrictAddressFamilies = [ "AF_UNIX" "AF_INET" "AF_INET6" ];
        LockPersonality = true;
        RestrictRealtime = true;
        RestrictSUIDSGID = true;
      };
    };

    # The real one waits for an idle nginx with a oneshot that follows its configuration.
    systemd.services.nginx-config-reload = lib.mkIf cfg.enableReload {
      wantedBy = [ "multi-user.target" ];
      wants = [ "nginx.service" ];
      after = [ "nginx.service" ];
      restartTriggers = [ text.configFile ];
      serviceConfig = {
        Type = "oneshot";
        TimeoutSec = 60;
        ExecCondition = "/run/current-system/systemd/bin/systemctl -q is-active nginx.service";
        ExecStart = "/run/current-system/systemd/bin/systemctl reload nginx.service";
        RemainAfterExit = true;
      };
    };

    users.users = lib.optionalAttrs (cfg.user == "nginx") {
      nginx = {
        inherit (cfg) group;
        isSystemUser = true;
      };
    };
    users.groups = lib.optionalAttrs (cfg.group == "nginx") { nginx = { }; };
  };
}
