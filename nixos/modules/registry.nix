# The cluster's own image registry, reachable over the overlay only.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.infrastructure.registry;
  bound = cfg.bindToIp != null;
in
{
  options.infrastructure.registry = {
    enable = lib.mkEnableOption "the image registry";
    bindToIp = mkOption {
      type = types.nullOr types.str;
      default = config.infrastructure.cluster.node.overlayIp;
      defaultText = lib.literalExpression "the node's overlay address";
      description = "Address to listen on. While it is null the registry does not run: it has no access control of its own.";
    };
    port = mkOption {
      type = types.port;
      default = 5000;
      description = "TCP port of the registry.";
    };
  };

  config = lib.mkIf cfg.enable (
    lib.mkMerge [
      (lib.mkIf (!bound) {
        # The first configuration of a node comes before its overlay address; the next one brings the registry.
        warnings = [ "infrastructure.registry: no overlay address yet, the registry is not started." ];
      })
      (lib.mkIf bound {
        services.dockerRegistry = {
          enable = true;
          listenAddress = cfg.bindToIp;
          inherit (cfg) port;
          enableDelete = true;
          enableGarbageCollect = true;
        };
        systemd.services.docker-registry = {
          # The overlay address appears when flannel has its lease.
          after = [ "flannel.service" ];
          startLimitIntervalSec = 0;
          serviceConfig = {
            Restart = "always";
            RestartSec = "2s";
          };
        };
        networking.firewall.interfaces.${config.infrastructure.flannel.interface}.allowedTCPPorts = [ cfg.port ];
      })
    ]
  );
}
