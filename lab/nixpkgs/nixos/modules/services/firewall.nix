# networking.firewall: incoming connections are dropped unless a rule lets them in, as on NixOS. The rules are loaded as
# one nftables table (NixOS's iptables chains and its nftables backend decide the same; which backend is chosen only
# changes how the rules look).
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.networking.firewall;

  ports = description: mkOption {
    type = types.listOf types.port;
    default = [ ];
    apply = list: lib.unique (lib.sort lib.lessThan list);
    inherit description;
  };
  ranges = description: mkOption {
    type = types.listOf (types.attrsOf types.port);
    default = [ ];
    inherit description;
  };
  portOptions = {
    allowedTCPPorts = ports "TCP ports that take connections.";
    allowedTCPPortRanges = ranges "Ranges of such ports: `{ from; to; }`.";
    allowedUDPPorts = ports "UDP ports that take packets.";
    allowedUDPPortRanges = ranges "Ranges of such ports.";
  };
  bool = default: description: mkOption { type = types.bool; inherit default description; };

  set = list: rangeList: lib.concatStringsSep ", " (map toString list ++ map (r: "${toString r.from}-${toString r.to}") rangeList);
  allow =
    name: rules:
    let
      match = lib.optionalString (name != null) "iifname \"${name}\" ";
      line = protocol: list: rangeList: lib.optional (list != [ ] || rangeList != [ ]) "${match}${protocol} dport { ${set list rangeList} } accept";
    in
    line "tcp" rules.allowedTCPPorts rules.allowedTCPPortRanges ++ line "udp" rules.allowedUDPPorts rules.allowedUDPPortRanges;

  rules =
    [ "iifname { ${lib.concatMapStringsSep ", " (i: "\"${i}\"") cfg.trustedInterfaces} } accept" ]
    ++ [ "ct state { established, related } accept" "ct state invalid drop" ]
    ++ allow null cfg
    ++ lib.concatLists (lib.mapAttrsToList allow cfg.interfaces)
    ++ lib.optional cfg.allowPing "ip protocol icmp icmp type echo-request ${lib.optionalString (cfg.pingLimit != null) "limit rate ${cfg.pingLimit} "}accept"
    ++ [ "icmpv6 type != { nd-redirect, 139 } accept" "ip6 daddr fe80::/64 udp dport 546 accept" ]
    ++ lib.filter (l: l != "") (lib.splitString "\n" cfg.extraInputRules)
    ++ [ (if cfg.rejectPackets then "reject" else "drop") ];

  # Only our table: the lab's own rules and podman's and flannel's stay untouched. One transaction, so that no
  # packet meets a half loaded firewall.
  ruleset = pkgs.writeText "firewall.nft" ''
    table inet nixos-fw
    delete table inet nixos-fw
    table inet nixos-fw {
      chain input {
        type filter hook input priority filter; policy accept;
        ${lib.concatStringsSep "\n    " rules}
      }
    }
  '';
in
{
  options.networking = {
    firewall = portOptions // {
      enable = bool true "Whether incoming connections are filtered.";
      package = lib.mkPackageOption pkgs "iptables" { };
      logRefusedConnections = bool false "Recorded only.";
      logRefusedPackets = bool false "Recorded only.";
      logRefusedUnicastsOnly = bool true "Recorded only.";
      logReversePathDrops = bool false "Recorded only.";
      rejectPackets = bool false "Whether refused packets are answered.";
      trustedInterfaces = mkOption { type = types.listOf types.str; default = [ ]; description = "Interfaces that are not filtered."; };
      allowPing = bool true "Whether echo requests are answered.";
      pingLimit = mkOption { type = with types; nullOr (separatedString " "); default = null; description = "Limit of echo requests."; };
      checkReversePath = mkOption { type = types.either types.bool (types.enum [ "strict" "loose" ]); default = true; description = "Recorded only."; };
      filterForward = bool false "Recorded only.";
      autoLoadConntrackHelpers = bool false "Recorded only.";
      connectionTrackingModules = mkOption { type = types.listOf types.str; default = [ ]; description = "Recorded only."; };
      extraPackages = mkOption { type = types.listOf types.package; default = [ ]; description = "Packages for extraCommands."; };
      extraCommands = mkOption { type = types.lines; default = ""; description = "Shell after the rules are loaded; iptables backend only."; };
      extraStopCommands = mkOption { type = types.lines; default = ""; description = "Shell when the firewall stops; iptables backend only."; };
      extraInputRules = mkOption { type = types.lines; default = ""; description = "nftables rules; nftables backend only."; };
      extraForwardRules = mkOption { type = types.lines; default = ""; description = "Recorded only."; };
      interfaces = mkOption { default = { }; type = types.attrsOf (types.submodule { options = portOptions; }); description = "Ports by interface."; };
    };
    nftables.enable = bool false "Whether the nftables backend is chosen.";
    nat = {
      enable = bool false "Recorded only.";
      internalInterfaces = mkOption { type = types.listOf types.str; default = [ ]; description = "Recorded only."; };
      internalIPs = mkOption { type = types.listOf types.str; default = [ ]; description = "Recorded only."; };
      externalInterface = mkOption { type = with types; nullOr str; default = null; description = "Recorded only."; };
    };
  };

  config = lib.mkIf cfg.enable {
    networking.firewall.trustedInterfaces = [ "lo" ];
    assertions = [
      {
        assertion = cfg.filterForward -> config.networking.nftables.enable;
        message = "filterForward only works with the nftables based firewall";
      }
      {
        assertion = cfg.extraInputRules == "" || config.networking.nftables.enable;
        message = "extraInputRules only works with the nftables based firewall";
      }
      {
        assertion = !config.networking.nftables.enable || (cfg.extraCommands == "" && cfg.extraStopCommands == "");
        message = "extraCommands and extraStopCommands are incompatible with the nftables based firewall";
      }
    ];
    environment.systemPackages = [ cfg.package pkgs.nftables ] ++ cfg.extraPackages;

    systemd.services.firewall = {
      description = "Firewall";
      wantedBy = [ "sysinit.target" ];
      wants = [ "network-pre.target" ];
      after = [ "systemd-modules-load.service" ];
      before = [ "network-pre.target" "shutdown.target" ];
      conflicts = [ "shutdown.target" ];
      path = [ cfg.package pkgs.nftables ] ++ cfg.extraPackages;
      unitConfig.DefaultDependencies = false;
      reloadIfChanged = true;
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
      };
      script = ''
        nft -f ${ruleset}
        ${cfg.extraCommands}
      '';
      reload = ''
        nft -f ${ruleset}
        ${cfg.extraCommands}
      '';
      preStop = ''
        nft delete table inet nixos-fw || true
        ${cfg.extraStopCommands}
      '';
    };
  };
}
