# systemd.{services,timers,…}: options to unit files.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.systemd;
  unitOptions = import ../../lib/systemd/unit-options.nix { inherit lib; };
  defaults = import ../../lib/systemd/unit-defaults.nix {
    inherit lib pkgs;
    systemd = cfg.package;
    strictShellChecks = cfg.enableStrictShellChecks;
  };
  text = import ../../lib/systemd/unit-text.nix {
    inherit lib;
    inherit (cfg) globalEnvironment;
  };
  inherit (import ../../lib/systemd/generate-units.nix { inherit lib pkgs; }) makeUnit generateUnits;

  named = suffix: { name, ... }: {
    options.name = mkOption {
      type = types.str;
      internal = true;
      description = "The unit's name with its suffix.";
    };
    config.name = lib.mkDefault "${name}.${suffix}";
  };
  kind = description: modules: mkOption {
    default = { };
    type = types.attrsOf (types.submodule modules);
    inherit description;
  };
  toUnit = makeText: def: {
    inherit (def) enable overrideStrategy wantedBy requiredBy upheldBy aliases;
    text = makeText def;
  };
  units = makeText: lib.mapAttrs' (_: def: lib.nameValuePair def.name (toUnit makeText def));
in
{
  options.systemd = {
    package = lib.mkPackageOption pkgs "systemd" { };
    enableStrictShellChecks = lib.mkEnableOption "strict checks of unit scripts";
    globalEnvironment = mkOption {
      type = with types; attrsOf (nullOr (oneOf [ str path package ]));
      default = { };
      description = "Environment of all units.";
    };
    units = mkOption {
      default = { };
      description = "All units as text.";
      type = types.attrsOf (
        types.submodule (
          { name, config, ... }:
          {
            options = unitOptions.concrete;
            config.unit = lib.mkDefault (makeUnit name config);
          }
        )
      );
    };
    services = kind "Services." [ { imports = [ unitOptions.service defaults.serviceScripts ]; } (named "service") defaults.common defaults.service ];
    targets = kind "Targets." [ unitOptions.common (named "target") defaults.common ];
    sockets = kind "Sockets." [ unitOptions.socket (named "socket") defaults.common ];
    timers = kind "Timers." [ unitOptions.timer (named "timer") defaults.common ];
    paths = kind "Paths." [ unitOptions.path (named "path") defaults.common ];
    slices = kind "Slices." [ unitOptions.slice (named "slice") defaults.common ];
    mounts = mkOption {
      default = [ ];
      type = types.listOf (types.submodule [ unitOptions.mount defaults.common defaults.mount ]);
      description = "Mounts; a list, because the name follows from `where`.";
    };
    # The lab's machines keep Debian's journald, logind and network; these are accepted and recorded only.
    extraConfig = mkOption { type = types.lines; default = ""; description = "Lines of system.conf (recorded only)."; };
    enableEmergencyMode = mkOption { type = types.bool; default = true; description = "Recorded only."; };
    network.enable = mkOption { type = types.bool; default = false; description = "Whether systemd-networkd runs (recorded only)."; };
    network.wait-online.enable = mkOption { type = types.bool; default = true; description = "Recorded only."; };
  };

  config = {
    assertions = lib.concatLists (
      lib.mapAttrsToList (
        name: service:
        let
          type = service.serviceConfig.Type or "";
          restart = service.serviceConfig.Restart or "no";
        in
        [
          {
            assertion = !(type == "oneshot" && (restart == "always" || restart == "on-success"));
            message = "Service '${name}.service' with 'Type=oneshot' cannot have 'Restart=always' or 'Restart=on-success'";
          }
        ]
      ) cfg.services
    );

    warnings = lib.concatLists (
      lib.mapAttrsToList (
        name: service:
        lib.optional (
          lib.elem "network-online.target" service.after
          && !(lib.elem "network-online.target" (service.wants ++ service.requires ++ service.bindsTo))
        ) "${name}.service is ordered after 'network-online.target' but doesn't depend on it"
        ++ lib.optional (
          service.reloadIfChanged && service.reloadTriggers != [ ]
        ) "Service '${name}.service' has both 'reloadIfChanged' and 'reloadTriggers' set. 'reloadTriggers' then act like 'restartTriggers' if 'reloadIfChanged' is set."
      ) cfg.services
    );

    systemd.units =
      units text.service cfg.services
      // units text.target cfg.targets
      // units text.socket cfg.sockets
      // units text.timer cfg.timers
      // units text.path cfg.paths
      // units text.slice cfg.slices
      // lib.listToAttrs (map (m: lib.nameValuePair (defaults.mountName m) (toUnit text.mount m)) cfg.mounts);

    # `startAt` is a timer beside the service.
    systemd.timers = lib.mapAttrs (_: service: {
      wantedBy = [ "timers.target" ];
      timerConfig.OnCalendar = service.startAt;
    }) (lib.filterAttrs (_: service: service.enable && service.startAt != [ ]) cfg.services);

    environment.etc."systemd/system".source = generateUnits cfg.units;
    environment.systemPackages = [ cfg.package ];
  };
}
