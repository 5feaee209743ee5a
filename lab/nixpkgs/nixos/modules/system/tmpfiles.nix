# systemd.tmpfiles: folders and files that are made at boot and at every switch.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.systemd.tmpfiles;

  rule = {
    options = {
      type = mkOption { type = types.str; description = "Type of the line."; };
      mode = mkOption { type = types.str; default = "-"; description = "File mode."; };
      user = mkOption { type = types.str; default = "-"; description = "Owner."; };
      group = mkOption { type = types.str; default = "-"; description = "Group."; };
      age = mkOption { type = types.str; default = "-"; description = "Age of what is removed."; };
      argument = mkOption { type = types.str; default = ""; description = "Argument of the type."; };
    };
  };
  line = path: r: "'${r.type}' '${path}' '${r.mode}' '${r.user}' '${r.group}' '${r.age}' ${r.argument}\n";
  file = paths: lib.concatStrings (
    lib.mapAttrsToList (path: types: lib.concatStrings (lib.mapAttrsToList (_: line path) types)) paths
  );
in
{
  options.systemd.tmpfiles = {
    rules = mkOption { type = types.listOf types.str; default = [ ]; description = "Lines of tmpfiles.d(5)."; };
    settings = mkOption {
      default = { };
      description = "Rules by file, path and type.";
      type = types.attrsOf (
        types.attrsOf (
          types.attrsOf (
            types.submodule (
              { name, ... }:
              {
                imports = [ rule ];
                config.type = lib.mkDefault name;
              }
            )
          )
        )
      );
    };
    packages = mkOption { type = types.listOf types.package; default = [ ]; description = "Recorded only."; };
  };

  config.environment.etc =
    {
      "tmpfiles.d/00-nixos.conf".text = ''
        # Written by NixOS (systemd.tmpfiles.rules).
        ${lib.concatStringsSep "\n" cfg.rules}
      '';
    }
    // lib.mapAttrs' (name: paths: lib.nameValuePair "tmpfiles.d/${name}.conf" { text = file paths; }) cfg.settings;
}
