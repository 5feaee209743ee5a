# Apps as data: each becomes one file that the agent reads. The agent registers the app in etcd while it is healthy.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  apps = lib.filterAttrs (_: app: app.enable) config.infrastructure.apps;

  isIpv4 = address: builtins.match "([0-9]{1,3}\\.){3}[0-9]{1,3}" address != null;
  isLoopback = lib.hasPrefix "127.";

  # The agent refuses what is outside these limits; better to hear it before the switch.
  milliseconds =
    {
      least,
      most,
      default,
      description,
    }:
    mkOption {
      type = types.ints.between least most;
      inherit default;
      description = "${description} In milliseconds.";
    };
  hour = 3600000;

  health = app: {
    options = {
      kind = mkOption {
        type = types.enum [
          "tcp"
          "http"
          "exec"
          "none"
        ];
        default = "tcp";
        description = ''
          How the agent asks whether the app works: `tcp` connects, `http` expects a 2xx or 3xx status, `exec` expects
          exit status 0, `none` trusts the unit's state.
        '';
      };
      path = mkOption {
        type = types.nullOr types.str;
        default = null;
        example = "/ping";
        description = "Path to request; needed by `http`.";
      };
      host = mkOption {
        type = types.str;
        default = app.bindToIp;
        defaultText = lib.literalExpression "bindToIp";
        description = "Address to probe.";
      };
      port = mkOption {
        type = types.port;
        default = app.port;
        defaultText = lib.literalExpression "port";
        description = "TCP port to probe.";
      };
      command = mkOption {
        type = types.nullOr (types.listOf types.str);
        default = null;
        description = "Program and arguments to run, without a shell; needed by `exec`.";
      };
      intervalMs = milliseconds {
        least = 100;
        most = hour;
        default = 1000;
        description = "Time between two probes.";
      };
      timeoutMs = milliseconds {
        least = 10;
        most = 600000;
        default = 2000;
        description = "Time after which a probe without an answer has failed.";
      };
      rise = mkOption {
        type = types.ints.between 1 100;
        default = 1;
        description = "Successful probes in a row that make the instance healthy.";
      };
      fall = mkOption {
        type = types.ints.between 1 100;
        default = 2;
        description = "Failed probes in a row that make the instance unhealthy.";
      };
      startGraceMs = milliseconds {
        least = 0;
        most = hour;
        default = 60000;
        description = "Time that a freshly started unit may take before failed probes count.";
      };
    };
  };

  app =
    { name, config, ... }:
    {
      options = {
        enable = mkOption {
          type = types.bool;
          default = true;
          description = "Whether this node runs the app.";
        };
        group = mkOption {
          type = types.enum [
            "frontends"
            "backends"
            "services"
          ];
          description = "Service group; nodes that subscribe to it reach the app at 127.0.0.1.";
        };
        port = mkOption {
          type = types.port;
          description = "TCP port of the app, on this node and at 127.0.0.1 of every subscriber.";
        };
        bindToIp = mkOption {
          type = types.str;
          default = "127.0.0.1";
          description = "IPv4 address that the app listens on; normally the node's overlay address.";
        };
        unit = mkOption {
          type = types.strMatching "[A-Za-z0-9:_.@\\-]+\\.service";
          default = "${name}.service";
          defaultText = lib.literalExpression ''"<name>.service"'';
          description = "The systemd unit that is the app.";
        };
        protocol = mkOption {
          type = types.str;
          default = "http";
          description = "`http` lets the mesh retry safe requests on another instance; anything else is passed on as TCP.";
        };
        path = mkOption {
          type = types.str;
          default = "";
          description = "Path that clients put behind host and port.";
        };
        envPrefix = mkOption {
          type = types.str;
          default = lib.toUpper (builtins.replaceStrings [ "-" ] [ "_" ] name);
          defaultText = lib.literalExpression "the name in upper case, with _ for -";
          description = "Prefix of the environment variables that tell a client where the app is.";
        };
        env = mkOption {
          type = types.attrsOf (
            types.oneOf [
              types.str
              types.int
            ]
          );
          default = { };
          description = "Published beside HOST, PATH, PORT and PROTOCOL. Readable by every node: no secrets.";
        };
        version = mkOption {
          type = types.str;
          default = "";
          example = "1.4.2";
          description = "Version of the app, shown in the plan of a deploy.";
        };
        minHealthy = mkOption {
          type = types.nullOr types.ints.unsigned;
          default = null;
          example = 2;
          description = ''
            Healthy instances in the whole cluster that a deploy must leave at any moment. null: as many as there are, less
            the nodes that a deploy may take away at once.
          '';
        };
        health = mkOption {
          type = types.submodule (health config);
          default = { };
          description = "How the agent finds out whether the app works.";
        };
      };
    };

  # The agent's reader takes a key that is absent, not one that is null.
  withoutNulls = lib.filterAttrs (_: value: value != null);

  # haproxy checks what it sends requests to: the path is for it only where the agent asks there too.
  meshChecks =
    app: app.health.kind == "http" && app.health.host == app.bindToIp && app.health.port == app.port;

  declaration = name: app: {
    inherit name;
    inherit (app)
      group
      unit
      port
      envPrefix
      protocol
      path
      version
      minHealthy
      ;
    bindIp = app.bindToIp;
    meta_data = {
      publish.port = app.port;
      ${if meshChecks app then "health" else null} = { inherit (app.health) path; };
      env_prefix = app.envPrefix;
      env = {
        HOST = "127.0.0.1";
        PATH = app.path;
        PORT = app.port;
        PROTOCOL = app.protocol;
      }
      // app.env;
    };
    health = withoutNulls {
      inherit (app.health)
        kind
        path
        host
        port
        command
        intervalMs
        timeoutMs
        rise
        fall
        startGraceMs
        ;
    };
  };
in
{
  options.infrastructure.apps = mkOption {
    type = types.attrsOf (types.submodule app);
    default = { };
    description = "The apps that this node runs.";
  };

  config = {
    environment.etc = lib.mapAttrs' (
      name: app:
      lib.nameValuePair "nix-infra/apps.d/${name}.json" {
        source = pkgs.writeText "${name}.json" (builtins.toJSON (declaration name app));
      }
    ) apps;

    # Only other nodes talk to an instance, and only through the overlay.
    networking.firewall.interfaces.${config.infrastructure.flannel.interface}.allowedTCPPorts =
      lib.mapAttrsToList (_: app: app.port) (lib.filterAttrs (_: app: !isLoopback app.bindToIp) apps);

    assertions = lib.concatLists (
      lib.mapAttrsToList (name: app: [
        {
          assertion = builtins.match "[a-z]([a-z0-9-]*[a-z0-9])?" name != null;
          message = "infrastructure.apps.\"${name}\": use small letters, digits and dashes; it becomes an etcd key and a haproxy name.";
        }
        {
          assertion = isIpv4 app.bindToIp;
          message = ''
            infrastructure.apps.${name}.bindToIp is "${app.bindToIp}", which is no IPv4 address.
            If it is a placeholder, the node has no overlay address yet: deploy again when `nix-infra status` shows one.
          '';
        }
        {
          assertion = app.health.kind == "http" -> app.health.path != null;
          message = "infrastructure.apps.${name}.health: kind \"http\" needs a path.";
        }
        {
          assertion = app.health.kind == "exec" -> (app.health.command != null && app.health.command != [ ]);
          message = "infrastructure.apps.${name}.health: kind \"exec\" needs a command.";
        }
      ]) apps
    );
  };
}
