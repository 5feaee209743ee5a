# The routes of the mesh: confd writes haproxy's configuration from what is registered in etcd.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.infrastructure.confd_haproxy;
  haproxy = config.infrastructure.haproxy;
  inherit (config.infrastructure.cluster) node;
  # The groups of cluster.json stand in for a registration that is missing or cannot be read: the node goes on serving.
  mesh = builtins.replaceStrings [ "@node@" "@services@" ] [
    node.name
    (lib.concatStringsSep "|" node.services)
  ] (builtins.readFile ./haproxy/mesh.cfg.tmpl);
in
{
  options.infrastructure.confd_haproxy.enable = lib.mkEnableOption "the routes of the mesh";

  config = lib.mkIf cfg.enable {
    infrastructure.confd.templates."haproxy.cfg" = {
      source = pkgs.writeText "haproxy.cfg.tmpl" (builtins.readFile ./haproxy/base.cfg + mesh);
      destination = haproxy.configFile;
      keys = [
        "/cluster/nodes"
        "/cluster/frontends"
        "/cluster/backends"
        "/cluster/services"
      ];
      checkCommand = "${haproxy.package}/bin/haproxy -c -f {{.src}}";
      # The agent changes servers in the running haproxy; there is nothing to reload where that serves the new file already.
      # confd does not repeat a failed reload: where haproxy is down, this starts it with the new file.
      reloadCommand =
        "${config.infrastructure.agent.package}/bin/node ${../nix-infra/mesh.cjs} "
        + "${haproxy.configFile} ${haproxy.loadedFile} /run/haproxy/haproxy.sock /run/nix-infra/mesh-voucher "
        + "|| ${config.systemd.package}/bin/systemctl reload-or-restart haproxy.service";
    };

    assertions = [
      {
        assertion = config.infrastructure.confd.enable && haproxy.enable;
        message = "infrastructure.confd_haproxy needs infrastructure.confd.enable and infrastructure.haproxy.enable.";
      }
    ];
  };
}
