# Names of the machine and of others. Addresses, routes and DNS come from the lab itself: those options are checked and
# recorded, but change nothing here.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.networking;
  fqdn = "${cfg.hostName}.${cfg.domain}";

  recorded = type: default: description: mkOption {
    inherit type default;
    description = "${description} (recorded only: the lab wires its machines)";
  };
  address = {
    options = {
      address = mkOption { type = types.str; description = "Address."; };
      prefixLength = mkOption { type = types.addCheck types.int (n: n >= 0 && n <= 128); description = "Length of the network part."; };
    };
  };
  route = {
    options = {
      address = mkOption { type = types.str; description = "Network."; };
      prefixLength = mkOption { type = types.addCheck types.int (n: n >= 0 && n <= 128); description = "Length of the network part."; };
      type = mkOption { type = with types; nullOr (enum [ "unicast" "local" "broadcast" "multicast" ]); default = null; description = "Kind of route."; };
      via = mkOption { type = with types; nullOr str; default = null; description = "Next hop."; };
      options = mkOption { type = types.attrsOf types.str; default = { }; description = "More options."; };
    };
  };
  gateway = {
    options = {
      address = mkOption { type = types.str; description = "Gateway."; };
      interface = mkOption { type = with types; nullOr str; default = null; description = "Interface."; };
      metric = mkOption { type = with types; nullOr int; default = null; description = "Metric."; };
      source = mkOption { type = with types; nullOr str; default = null; description = "Source address."; };
    };
  };
  gatewayType = types.nullOr (types.coercedTo types.str (address: { inherit address; }) (types.submodule gateway));
  family = {
    addresses = recorded (types.listOf (types.submodule address)) [ ] "Addresses";
    routes = recorded (types.listOf (types.submodule route)) [ ] "Routes";
  };
  interface =
    { name, ... }:
    {
      options = {
        name = mkOption { type = types.str; default = name; description = "Name."; };
        useDHCP = recorded (types.nullOr types.bool) null "Whether DHCP gives the addresses";
        mtu = recorded (types.nullOr types.int) null "MTU";
        macAddress = recorded (types.nullOr types.str) null "MAC address";
        virtual = recorded types.bool false "Whether it is a tun or tap device";
        ipv4 = family;
        ipv6 = family;
      };
    };
in
{
  options.networking = {
    hostName = mkOption {
      default = "nixos";
      type = types.strMatching "^$|^[[:alnum:]]([[:alnum:]_-]{0,61}[[:alnum:]])?$";
      description = "Name of the machine; empty: the name it has.";
    };
    domain = mkOption { type = with types; nullOr str; default = null; description = "Domain of the machine."; };
    fqdn = mkOption {
      readOnly = true;
      type = types.str;
      default =
        if cfg.hostName != "" && cfg.domain != null then fqdn
        else throw "The FQDN is required but cannot be determined. Please make sure that both networking.hostName and networking.domain are set properly.";
      description = "Name with domain.";
    };
    fqdnOrHostName = mkOption {
      readOnly = true;
      type = types.str;
      default = if cfg.domain == null then cfg.hostName else fqdn;
      description = "Name, with domain where there is one.";
    };
    hostId = recorded (types.nullOr types.str) null "Host id";
    hosts = mkOption { type = types.attrsOf (types.listOf types.str); default = { }; description = "Names by address, for /etc/hosts."; };
    extraHosts = mkOption { type = types.lines; default = ""; description = "Lines for /etc/hosts."; };
    hostFiles = mkOption { type = types.listOf types.path; default = [ ]; description = "Files that make up /etc/hosts."; };
    enableIPv6 = mkOption { type = types.bool; default = true; description = "Whether IPv6 is used."; };
    nameservers = recorded (types.listOf types.str) [ ] "Name servers";
    search = recorded (types.listOf types.str) [ ] "Search domains";
    useDHCP = recorded types.bool true "Whether DHCP gives the addresses";
    dhcpcd.enable = recorded types.bool true "Whether dhcpcd runs";
    useNetworkd = recorded types.bool false "Whether networkd configures the network";
    useHostResolvConf = recorded types.bool false "Whether resolv.conf is the host's";
    resolvconf.enable = recorded types.bool true "Whether resolvconf writes resolv.conf";
    usePredictableInterfaceNames = recorded (types.nullOr types.bool) true "Whether interfaces are named by place";
    defaultGateway = recorded gatewayType null "Default gateway";
    defaultGateway6 = recorded gatewayType null "Default gateway for IPv6";
    interfaces = recorded (types.attrsOf (types.submodule interface)) { } "Interfaces";
    vlans = recorded (types.attrsOf (types.submodule {
      options = {
        id = mkOption { type = types.int; description = "VLAN id."; };
        interface = mkOption { type = types.str; description = "Interface below."; };
      };
    })) { } "VLANs";
    networkmanager.enable = recorded types.bool false "Whether NetworkManager runs";
    wireguard.enable = recorded types.bool false "Whether WireGuard is set up";
    timeServers = recorded (types.listOf types.str) [ "0.nixos.pool.ntp.org" ] "Time servers";
    proxy = {
      default = mkOption { type = with types; nullOr str; default = null; description = "Proxy for everything."; };
      noProxy = mkOption { type = with types; nullOr str; default = null; description = "What needs no proxy."; };
      envVars = mkOption {
        type = types.attrs;
        internal = true;
        default =
          lib.optionalAttrs (cfg.proxy.default != null) (lib.genAttrs [ "http_proxy" "https_proxy" "rsync_proxy" "ftp_proxy" "all_proxy" ] (_: cfg.proxy.default))
          // lib.optionalAttrs (cfg.proxy.noProxy != null) { no_proxy = cfg.proxy.noProxy; };
        description = "The proxies as environment.";
      };
    };
  };

  config = {
    assertions = [
      {
        assertion = !(lib.elem "127.0.0.1" (lib.attrNames (lib.filterAttrs (_: names: names == [ ]) cfg.hosts)));
        message = "`networking.hosts` maps no names to 127.0.0.1; it would stop localhost from being resolved.";
      }
    ];

    networking.hosts =
      let
        names = lib.optional (cfg.hostName != "" && cfg.domain != null) fqdn ++ lib.optional (cfg.hostName != "") cfg.hostName;
      in
      {
        "127.0.0.1" = lib.mkBefore [ "localhost" ];
        "::1" = lib.mkIf cfg.enableIPv6 (lib.mkBefore [ "localhost" ]);
        "127.0.0.2" = lib.mkIf (names != [ ]) names;
      };
    networking.hostFiles =
      let
        text = lib.concatStrings (lib.mapAttrsToList (ip: names: "${ip} ${lib.concatStringsSep " " names}\n") (lib.filterAttrs (_: names: names != [ ]) cfg.hosts));
      in
      [ (pkgs.writeText "string-hosts" text) (pkgs.writeText "extra-hosts" cfg.extraHosts) ];

    environment.etc.hosts.source = pkgs.concatText "hosts" cfg.hostFiles;
    environment.etc.hostname = lib.mkIf (cfg.hostName != "") { text = cfg.hostName + "\n"; };

    system.activationScripts.hostname = lib.mkIf (cfg.hostName != "") {
      deps = [ "etc" ];
      text = "hostname ${lib.escapeShellArg cfg.hostName} 2>/dev/null || echo ${lib.escapeShellArg cfg.hostName} > /proc/sys/kernel/hostname";
    };
  };
}
