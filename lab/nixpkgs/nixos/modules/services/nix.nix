# nix.*: settings and garbage collection. What keeps Nix working without a network is written whatever the settings say.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.nix;
  atom = types.nullOr (types.oneOf [ types.bool types.int types.float types.str types.path types.package ]);
  value = v: if v == true then "true" else if v == false then "false" else if builtins.isList v then toString v else toString v;
  strings = default: description: mkOption { type = types.listOf types.str; inherit default description; };

  # The lab has no cache, no daemon and no build users (see docs/reference/lab-nixos.md).
  fixed = {
    sandbox = false;
    build-users-group = "";
    substituters = "";
    trusted-substituters = "";
    flake-registry = "";
    warn-dirty = false;
  };
  features = lib.unique (lib.toList (cfg.settings.experimental-features or [ ]) ++ [ "nix-command" "flakes" ]);
  ignored = [ "experimental-features" "auto-optimise-store" "max-jobs" "cores" "require-sigs" "trusted-users" "allowed-users" "system-features" "sandbox-fallback" "extra-sandbox-paths" ];
  written = lib.removeAttrs cfg.settings ignored // fixed // { experimental-features = features; };
in
{
  options.nix = {
    enable = mkOption { type = types.bool; default = true; description = "Whether Nix is there."; };
    package = lib.mkPackageOption pkgs "nix" { };
    extraOptions = mkOption { type = types.lines; default = ""; description = "Lines of nix.conf (recorded only)."; };
    nixPath = strings [ ] "NIX_PATH (recorded only).";
    registry = mkOption { type = types.attrs; default = { }; description = "Flake registry (recorded only)."; };
    channel.enable = mkOption { type = types.bool; default = true; description = "Recorded only."; };
    optimise.automatic = mkOption { type = types.bool; default = false; description = "Recorded only."; };
    gc = {
      automatic = mkOption { type = types.bool; default = false; description = "Whether garbage is collected."; };
      dates = mkOption { type = types.either types.singleLineStr (types.listOf types.str); default = [ "03:15" ]; apply = lib.toList; description = "When."; };
      options = mkOption { type = types.singleLineStr; default = ""; description = "Options of nix-collect-garbage."; };
      persistent = mkOption { type = types.bool; default = true; description = "Whether a missed run is made up for."; };
      randomizedDelaySec = mkOption { type = types.singleLineStr; default = "0"; description = "Random delay."; };
    };
    settings = mkOption {
      default = { };
      description = "Settings of nix.conf.";
      type = types.submodule {
        freeformType = types.attrsOf (types.either atom (types.listOf atom));
        options = {
          substituters = strings [ ] "Binary caches (recorded only: the lab has none).";
          trusted-public-keys = strings [ ] "Keys of the caches.";
          trusted-users = strings [ ] "Users who may do everything.";
          allowed-users = strings [ "*" ] "Users who may use Nix.";
          auto-optimise-store = mkOption { type = types.bool; default = false; description = "Recorded only."; };
          max-jobs = mkOption { type = types.either types.int (types.enum [ "auto" ]); default = "auto"; description = "Recorded only."; };
          cores = mkOption { type = types.int; default = 0; description = "Recorded only."; };
          sandbox = mkOption { type = types.either types.bool (types.enum [ "relaxed" ]); default = true; description = "Recorded only: builds link to the machine's programs."; };
          require-sigs = mkOption { type = types.bool; default = true; description = "Recorded only."; };
        };
      };
    };
  };

  config = lib.mkIf cfg.enable {
    nix.settings.substituters = lib.mkAfter [ "https://cache.nixos.org/" ];
    nix.settings.trusted-users = [ "root" ];
    environment.etc."nix/nix.conf".text = ''
      # Written by NixOS (nix.settings); substituters, sandbox and build users are the lab's.
      ${lib.concatStringsSep "\n" (lib.mapAttrsToList (n: v: "${n} = ${value v}") (lib.filterAttrs (_: v: v != null) written))}
    '';
    systemd.services.nix-gc = {
      description = "Nix Garbage Collector";
      script = "exec ${cfg.package}/bin/nix-collect-garbage ${cfg.gc.options}";
      serviceConfig.Type = "oneshot";
      startAt = lib.optionals cfg.gc.automatic cfg.gc.dates;
    };
    systemd.timers.nix-gc = lib.mkIf cfg.gc.automatic {
      timerConfig = {
        RandomizedDelaySec = cfg.gc.randomizedDelaySec;
        Persistent = cfg.gc.persistent;
      };
    };
  };
}
