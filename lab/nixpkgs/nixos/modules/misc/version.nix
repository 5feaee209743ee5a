# Release and state version.
{ config, lib, options, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.system.nixos;
in
{
  options.system = {
    nixos = {
      version = mkOption { type = types.str; internal = true; default = lib.trivial.version; description = "Full version."; };
      release = mkOption { type = types.str; readOnly = true; default = lib.trivial.release; description = "Release."; };
      codeName = mkOption { type = types.str; readOnly = true; default = lib.trivial.codeName; description = "Name of the release."; };
      label = mkOption { type = types.strMatching "[a-zA-Z0-9:_\\.-]*"; default = cfg.version; description = "Label of the generation."; };
      tags = mkOption { type = types.listOf types.str; default = [ ]; description = "Words for the label."; };
      distroName = mkOption { type = types.str; internal = true; default = "NixOS"; description = "Name."; };
      distroId = mkOption { type = types.str; internal = true; default = "nixos"; description = "Id."; };
    };
    stateVersion = mkOption {
      type = types.str;
      default = cfg.release;
      apply =
        v:
        if builtins.match "[0-9]{2}\\.[0-9]{2}" v == null then
          throw "system.stateVersion: `${v}' is not a release such as 25.05"
        else v;
      description = "The release whose state formats the machine has.";
    };
    configurationRevision = mkOption { type = types.nullOr types.str; default = null; description = "Revision of the configuration's repository."; };
    name = mkOption { type = types.str; default = if config.networking.hostName == "" then "unnamed" else config.networking.hostName; description = "Name of the system's store path."; };
  };

  config.environment.systemPackages = [
    (pkgs.writeShellScriptBin "nixos-version" ''
      case ''${1-} in
        --json) echo ${lib.escapeShellArg (builtins.toJSON ({ nixosVersion = cfg.version; } // lib.optionalAttrs (config.system.configurationRevision != null) { inherit (config.system) configurationRevision; }))} ;;
        --configuration-revision) echo ${lib.escapeShellArg (toString config.system.configurationRevision)} ;;
        *) echo "${cfg.version} (${cfg.codeName})" ;;
      esac
    '')
  ];
  config.warnings = lib.optional (options.system.stateVersion.highestPrio >= 1500)
    "system.stateVersion is not set, defaulting to ${config.system.stateVersion}.";
}
