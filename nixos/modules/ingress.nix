# The door to the internet: host names to apps, which the local haproxy finds.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.infrastructure.ingress;

  host = {
    options = {
      port = mkOption {
        type = types.port;
        description = "Port of the app at 127.0.0.1, where the mesh serves it.";
      };
      default = mkOption {
        type = types.bool;
        default = false;
        description = "Whether this host also answers for names that no host has.";
      };
      tls = mkOption {
        type = types.bool;
        default = false;
        description = "Whether to fetch a certificate by ACME and send plain HTTP there.";
      };
    };
  };
in
{
  options.infrastructure.ingress = {
    enable = lib.mkEnableOption "the ingress";
    hosts = mkOption {
      type = types.attrsOf (types.submodule host);
      default = { };
      example = lib.literalExpression ''{ "www.example.com" = { port = 11211; default = true; }; }'';
      description = "Apps by host name.";
    };
    acmeEmail = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "Contact for the certificate authority; needed by hosts with `tls`. Setting it accepts its terms.";
    };
  };

  config = lib.mkIf cfg.enable {
    services.nginx = {
      enable = true;
      # A changed host list must not drop the connections of the others.
      enableReload = true;
      recommendedGzipSettings = true;
      recommendedOptimisation = true;
      recommendedProxySettings = true;
      recommendedTlsSettings = true;
      # Each open request holds two. The stock 512 are used up within seconds when one app hangs, and then no app is served.
      eventsConfig = "worker_connections 8192;";
      # systemd's soft limit is 1024.
      appendConfig = "worker_rlimit_nofile 16384;";
      virtualHosts = lib.mapAttrs (_: host: {
        inherit (host) default;
        enableACME = host.tls;
        forceSSL = host.tls;
        locations."/" = {
          proxyPass = "http://127.0.0.1:${toString host.port}";
          proxyWebsockets = true;
        };
      }) cfg.hosts;
    };

    security.acme = lib.mkIf (cfg.acmeEmail != null) {
      acceptTerms = true;
      defaults.email = cfg.acmeEmail;
    };

    networking.firewall.allowedTCPPorts = [
      80
      443
    ];

    assertions = [
      {
        assertion = lib.any (host: host.tls) (lib.attrValues cfg.hosts) -> cfg.acmeEmail != null;
        message = "infrastructure.ingress: a host with tls = true needs infrastructure.ingress.acmeEmail.";
      }
      {
        assertion = lib.count (host: host.default) (lib.attrValues cfg.hosts) <= 1;
        message = "infrastructure.ingress: only one host may be the default.";
      }
    ];
  };
}
