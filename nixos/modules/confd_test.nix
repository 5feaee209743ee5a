# A file that proves the whole path from etcd to this node: certificates, reachability, confd and registration.
{ config, lib, ... }:
let
  cfg = config.infrastructure.confd_test;
in
{
  options.infrastructure.confd_test.enable = lib.mkEnableOption "the list of nodes in /root/test.txt";

  config = lib.mkIf cfg.enable {
    infrastructure.confd.templates."test.txt" = {
      source = ./confd_test/test.txt.tmpl;
      destination = "/root/test.txt";
      keys = [ "/cluster/nodes" ];
    };

    assertions = [
      {
        assertion = config.infrastructure.confd.enable;
        message = "infrastructure.confd_test needs infrastructure.confd.enable = true.";
      }
    ];
  };
}
