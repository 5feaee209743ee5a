# environment.systemPackages and the variables of a login.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.environment;

  variable = types.attrsOf (
    with types;
    nullOr (oneOf [ (listOf (oneOf [ int str path ])) int str path ])
  );
  toText = v: if builtins.isList v then lib.concatMapStringsSep ":" toString v else toString v;
  exports = vars: lib.concatStrings (
    lib.mapAttrsToList (n: v: "export ${n}=\"${toText v}\"\n") (lib.filterAttrs (_: v: v != null) vars)
  );
in
{
  options = {
    environment = {
      systemPackages = mkOption { type = types.listOf types.package; default = [ ]; description = "Packages in the path of everybody."; };
      defaultPackages = mkOption { type = types.listOf types.package; default = [ ]; description = "Packages that are not needed but nice to have."; };
      pathsToLink = mkOption { type = types.listOf types.str; default = [ ]; description = "Folders of the packages to link."; };
      extraOutputsToInstall = mkOption { type = types.listOf types.str; default = [ ]; description = "More outputs (recorded only)."; };
      extraSetup = mkOption { type = types.lines; default = ""; description = "Shell after the links are made."; };
      variables = mkOption { type = variable; default = { }; apply = lib.mapAttrs (_: v: if v == null then null else toText v); description = "Variables of every shell."; };
      sessionVariables = mkOption { type = variable; default = { }; description = "Variables of every login."; };
      shellAliases = mkOption { type = with types; attrsOf (nullOr (either str path)); default = { }; description = "Aliases of every shell."; };
      shellInit = mkOption { type = types.lines; default = ""; description = "Shell at the start of every shell."; };
      loginShellInit = mkOption { type = types.lines; default = ""; description = "Shell at login."; };
      interactiveShellInit = mkOption { type = types.lines; default = ""; description = "Shell at the start of interactive shells."; };
      localBinInPath = mkOption { type = types.bool; default = false; description = "Whether ~/.local/bin is in the path."; };
    };
    system.path = mkOption { internal = true; description = "All packages as one tree."; };
  };

  config = {
    environment.pathsToLink = [ "/bin" "/etc/xdg" "/lib/systemd" "/sbin" "/share" ];
    environment.variables = lib.mapAttrs (_: lib.mkDefault) (lib.filterAttrs (_: v: v != null) cfg.sessionVariables);
    environment.systemPackages = with pkgs; [
      bash coreutils curl diffutils findutils gawk gnugrep gnused gnutar gzip less procps util-linux which openssh rsync iproute2 nix nixos-rebuild
    ] ++ cfg.defaultPackages;

    system.path = pkgs.buildEnv {
      name = "system-path";
      paths = cfg.systemPackages;
      inherit (cfg) pathsToLink;
      postBuild = cfg.extraSetup;
    };

    # /run/current-system/sw/bin comes last: Debian's own programs are what the links lead to anyway, and a login must
    # work even when the system is broken.
    environment.etc."profile.d/nixos.sh".text = ''
      case :$PATH: in *:/run/current-system/sw/bin:*) ;; *) export PATH="$PATH:/run/current-system/sw/bin" ;; esac
      ${exports cfg.variables}
      ${lib.concatStrings (lib.mapAttrsToList (n: v: "alias ${n}=${lib.escapeShellArg "${v}"}\n") (lib.filterAttrs (_: v: v != null) cfg.shellAliases))}
      ${cfg.shellInit}
      ${cfg.loginShellInit}
      ${cfg.interactiveShellInit}
    '';
  };
}
