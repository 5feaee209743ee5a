# The system: one store path with everything in it. There is no kernel and no initrd: a lab machine has its host's. The
# parameters of the kernel are written as NixOS does, so that a change of them is seen as one that needs a boot.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  failed = map (a: a.message) (lib.filter (a: !a.assertion) config.assertions);

  system = pkgs.runCommand "nixos-system-${config.system.name}-${config.system.nixos.label}" { } ''
    mkdir -p $out/bin
    ln -s ${config.system.build.etc}/etc $out/etc
    ln -s ${config.system.path} $out/sw
    ln -s ${config.systemd.package} $out/systemd
    for script in activate:${config.system.build.activate} dry-activate:${config.system.build.dryActivate}; do
      sed "s|@out@|$out|g" "''${script#*:}" > "$out/''${script%%:*}"
      chmod +x "$out/''${script%%:*}"
    done
    printf '%s' ${lib.escapeShellArg (toString config.boot.kernelParams)} > $out/kernel-params
    printf '%s' ${lib.escapeShellArg config.system.nixos.label} > $out/nixos-version
    printf '%s' ${pkgs.stdenv.hostPlatform.system} > $out/system
    ${lib.optionalString (config.system.configurationRevision != null) "printf '%s' ${lib.escapeShellArg config.system.configurationRevision} > $out/configuration-revision"}
    {
      echo '#!/bin/sh'
      echo "# The switch belongs to the machine, like every program of the lab; this names the system it switches to."
      echo "TOPLEVEL=$out exec ${config.system.build.switchProgram} \"\$@\""
    } > $out/bin/switch-to-configuration
    chmod +x $out/bin/switch-to-configuration
    ${config.system.extraSystemBuilderCmds}
  '';
in
{
  options.system = {
    extraSystemBuilderCmds = mkOption {
      type = types.lines;
      internal = true;
      default = "";
      description = "More shell for the build of the system.";
    };
    extraDependencies = mkOption {
      type = types.listOf types.pathInStore;
      default = [ ];
      description = "Store paths that the system keeps.";
    };
    checks = mkOption {
      type = types.listOf types.package;
      default = [ ];
      description = "Derivations that must build with the system.";
    };
    switch.enable = mkOption { type = types.bool; default = true; description = "Whether the system can be switched to."; };
  };

  config = {
    system.extraSystemBuilderCmds = lib.mkMerge [
      (lib.mkIf (config.system.extraDependencies != [ ]) "printf '%s\\n' ${lib.concatMapStringsSep " " (d: "${d}") config.system.extraDependencies} > $out/extra-dependencies")
      (lib.mkIf (config.system.checks != [ ]) "# checks: ${toString config.system.checks}")
    ];
    system.build = {
      switchProgram = lib.mkDefault "/usr/share/lab/nixos-rebuild/switch-to-configuration";
      toplevel =
        if failed != [ ] then
          throw "\nFailed assertions:\n${lib.concatMapStringsSep "\n" (m: "- ${m}") failed}"
        else lib.showWarnings config.warnings system;
    };
  };
}
