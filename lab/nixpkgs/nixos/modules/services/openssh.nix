# services.openssh: Debian's sshd keeps running (unit ssh.service), with the settings of the system in a file that its own
# configuration includes. Cutting the way in is the one thing a switch must not do.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.services.openssh;
  bool = default: description: mkOption { type = types.bool; inherit default description; };
  setting = type: default: description: mkOption { type = types.nullOr type; inherit default description; };
  value = v: if v == true then "yes" else if v == false then "no" else if builtins.isList v then lib.concatStringsSep "," v else toString v;

  text = ''
    # Written by NixOS (services.openssh).
    AuthorizedKeysFile ${toString ([ "%h/.ssh/authorized_keys" ] ++ cfg.authorizedKeysFiles)}
    ${lib.concatStringsSep "\n" (lib.mapAttrsToList (n: v: "${n} ${value v}") (lib.filterAttrs (_: v: v != null) cfg.settings))}
    ${cfg.extraConfig}
  '';
in
{
  imports = [
    (lib.mkRenamedOptionModule [ "services" "openssh" "permitRootLogin" ] [ "services" "openssh" "settings" "PermitRootLogin" ])
    (lib.mkRenamedOptionModule [ "services" "openssh" "passwordAuthentication" ] [ "services" "openssh" "settings" "PasswordAuthentication" ])
  ];

  options.services.openssh = {
    enable = bool false "Whether the SSH daemon runs.";
    package = lib.mkPackageOption pkgs "openssh" { };
    startWhenNeeded = bool false "Recorded only: the daemon always runs.";
    ports = mkOption { type = types.listOf types.port; default = [ 22 ]; description = "Ports; opened in the firewall. The lab's sshd stays on 22."; };
    openFirewall = bool true "Whether the ports are opened in the firewall.";
    allowSFTP = bool true "Recorded only.";
    listenAddresses = mkOption { type = types.listOf (types.submodule {
      options = {
        addr = mkOption { type = with types; nullOr str; default = null; description = "Address."; };
        port = mkOption { type = with types; nullOr int; default = null; description = "Port."; };
      };
    }); default = [ ]; description = "Recorded only."; };
    hostKeys = mkOption { type = types.listOf types.attrs; default = [ ]; description = "Recorded only: the key is injected when the server is created."; };
    authorizedKeysFiles = mkOption { type = types.listOf types.str; default = [ ]; description = "Where public keys are looked for."; };
    authorizedKeysInHomedir = bool true "Recorded only.";
    extraConfig = mkOption { type = types.lines; default = ""; description = "Lines of sshd_config."; };
    settings = mkOption {
      default = { };
      description = "Settings of sshd_config.";
      type = types.submodule {
        freeformType = with types; attrsOf (nullOr (oneOf [ str int bool (listOf str) ]));
        options = {
          PermitRootLogin = setting (types.enum [ "yes" "without-password" "prohibit-password" "forced-commands-only" "no" ]) "prohibit-password" "How root may log in.";
          PasswordAuthentication = setting types.bool true "Whether passwords are taken.";
          KbdInteractiveAuthentication = setting types.bool true "Whether the keyboard is asked.";
          X11Forwarding = setting types.bool false "Whether X is forwarded.";
          UseDns = setting types.bool false "Whether names are looked up.";
          GatewayPorts = setting types.str "no" "Whether forwarded ports are open to others.";
          LogLevel = setting (types.enum [ "QUIET" "FATAL" "ERROR" "INFO" "VERBOSE" "DEBUG" "DEBUG1" "DEBUG2" "DEBUG3" ]) "INFO" "How much is logged.";
          StrictModes = setting types.bool true "Whether modes of files are checked.";
          UsePAM = setting types.bool true "Whether PAM is used.";
        };
      };
    };
  };

  config = lib.mkIf cfg.enable {
    services.openssh.authorizedKeysFiles = [ "/etc/ssh/authorized_keys.d/%u" ];
    networking.firewall.allowedTCPPorts = lib.mkIf cfg.openFirewall cfg.ports;
    environment.etc."ssh/sshd_config.d/00-nixos.conf".text = text;
    system.activationScripts.sshd = {
      deps = [ "etc" ];
      # Only a configuration that sshd accepts reaches the running daemon.
      text = ''
        if systemctl is-active --quiet ssh.service 2>/dev/null && sshd -t; then systemctl --no-block reload ssh.service; fi
      '';
    };
  };
}
