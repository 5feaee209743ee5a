# system.activationScripts: shell that runs at every switch and at every boot.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  scripts = config.system.activationScripts;

  # Depth first over `deps`; the names sort where nothing else says so.
  ordered =
    let
      visit =
        trail: acc: name:
        if lib.elem name acc then acc
        else if lib.elem name trail then throw "system.activationScripts: `${name}' depends on itself, through ${lib.concatStringsSep ", " trail}"
        else if !(scripts ? ${name}) then throw "system.activationScripts: `${lib.head trail}' depends on `${name}', which does not exist"
        else lib.foldl' (visit ([ name ] ++ trail)) acc scripts.${name}.deps ++ [ name ];
    in
    # `visit` may have added the name through another path already.
    lib.unique (lib.foldl' (visit [ ]) [ ] (lib.attrNames scripts));

  snippet = name: ''
    #### Activation script snippet ${name}:
    _localstatus=0
    ${scripts.${name}.text}

    if (( _localstatus > 0 )); then
      printf "Activation script snippet '%s' failed (%s)\n" ${lib.escapeShellArg name} "$_localstatus"
    fi
  '';

  header = ''
    #!/bin/bash
    # At boot, and by switch-to-configuration: makes the machine what this system says, up to its services.
    systemConfig=@out@
    export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    _status=0
    trap '_status=1 _localstatus=$?' ERR
    umask 0022
  '';

in
{
  options.system.activationScripts = mkOption {
    default = { };
    description = "Shell fragments by name.";
    type = types.attrsOf (
      types.coercedTo types.str (text: { inherit text; }) (
        types.submodule {
          options = {
            deps = mkOption { type = types.listOf types.str; default = [ ]; description = "Fragments that run first."; };
            text = mkOption { type = types.lines; description = "The shell."; };
            supportsDryActivation = mkOption { type = types.bool; default = false; description = "Whether it may run in a dry activation and looks at $NIXOS_ACTION."; };
          };
        }
      )
    );
  };

  config.system = {
    activationScripts = {
      # Names that others depend on. Debian has the file systems and the shell already.
      specialfs = "";
      stdio = "";
      binsh.text = ":";
      var.text = "mkdir -p /var/empty /var/lib/lab-nixos; touch /etc/NIXOS";
    };
    build.activate = pkgs.writeText "activate" (
      header
      + lib.concatMapStringsSep "\n" snippet ordered
      + ''

        # From here on this is the system that the next switch compares with.
        mkdir -p /run
        ln -sfn "$(readlink -f "$systemConfig")" /run/current-system
        exit $_status
      ''
    );
    build.dryActivate = pkgs.writeText "dry-activate" (
      header + lib.concatMapStringsSep "\n" snippet (lib.filter (name: scripts.${name}.supportsDryActivation) ordered) + "\nexit $_status\n"
    );
  };
}
