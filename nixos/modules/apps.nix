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

  # `app` has the defaults of where to probe. A copy's probe takes everything else from the app's own.
  health = app: from: {
    options = {
      kind = mkOption {
        type = types.enum [
          "tcp"
          "http"
          "exec"
          "none"
        ];
        default = from.kind or "tcp";
        defaultText = lib.literalExpression "\"tcp\"";
        description = ''
          How the agent asks whether the app works: `tcp` connects, `http` expects a 2xx or 3xx status, `exec` expects
          exit status 0, `none` trusts the unit's state.
        '';
      };
      path = mkOption {
        type = types.nullOr types.str;
        default = from.path or null;
        defaultText = lib.literalExpression "null";
        example = "/ping";
        description = "Path to request; needed by `http`.";
      };
      host = mkOption {
        type = types.str;
        default = from.host or app.bindToIp;
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
        default = from.command or null;
        defaultText = lib.literalExpression "null";
        description = "Program and arguments to run, without a shell; needed by `exec`.";
      };
      intervalMs = milliseconds {
        least = 100;
        most = hour;
        default = from.intervalMs or 1000;
        description = "Time between two probes.";
      };
      timeoutMs = milliseconds {
        least = 10;
        most = 600000;
        default = from.timeoutMs or 2000;
        description = "Time after which a probe without an answer has failed.";
      };
      rise = mkOption {
        type = types.ints.between 1 100;
        default = from.rise or 1;
        defaultText = lib.literalExpression "1";
        description = "Successful probes in a row that make the instance healthy.";
      };
      fall = mkOption {
        type = types.ints.between 1 100;
        default = from.fall or 2;
        defaultText = lib.literalExpression "2";
        description = "Failed probes in a row that make the instance unhealthy.";
      };
      startGraceMs = milliseconds {
        least = 0;
        most = hour;
        default = from.startGraceMs or 60000;
        description = "Time that a freshly started unit may take before failed probes count.";
      };
    };
  };

  copy =
    appName: app:
    { name, config, ... }:
    {
      options = {
        unit = mkOption {
          type = types.strMatching "[A-Za-z0-9:_.@\\-]+\\.service";
          default = "${appName}-${name}.service";
          defaultText = lib.literalExpression ''"<app>-<copy>.service"'';
          description = "The systemd unit that is this copy.";
        };
        port = mkOption {
          type = types.port;
          description = "TCP port of this copy on this node.";
        };
        health = mkOption {
          type = types.submodule (
            health {
              inherit (app) bindToIp;
              inherit (config) port;
            } app.health
          );
          default = { };
          description = "As the app's, with the copy's port; set here what differs.";
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
          type = types.submodule (health config { });
          default = { };
          description = "How the agent finds out whether the app works.";
        };
        copies = mkOption {
          type = types.attrsOf (types.submodule (copy name config));
          default = { };
          example = lib.literalExpression ''{ "1".port = 11211; "2".port = 11212; }'';
          description = ''
            Copies that this node runs beside each other, by number; each is an instance `<node>.<number>` of its own, with its own
            unit and port. Without any the app is one instance with the app's `unit` and `port`; with some, `port` says only where
            the mesh serves the app.
          '';
        };
      };
    };

  # The agent's reader takes a key that is absent, not one that is null.
  withoutNulls = lib.filterAttrs (_: value: value != null);

  probe =
    { health, ... }:
    withoutNulls {
      inherit (health)
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

  portsOf =
    app: if app.copies == { } then [ app.port ] else map (one: one.port) (lib.attrValues app.copies);

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
    health = probe app;
  }
  // lib.optionalAttrs (app.copies != { }) {
    copies = lib.mapAttrs (_: one: {
      inherit (one) unit port;
      health = probe one;
    }) app.copies;
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
      lib.concatMap portsOf (
        lib.attrValues (lib.filterAttrs (_: app: !isLoopback app.bindToIp) apps)
      );

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
        {
          assertion = lib.all (number: builtins.match "[1-9][0-9]{0,3}" number != null) (
            lib.attrNames app.copies
          );
          message = "infrastructure.apps.${name}.copies: name them 1, 2, 3; the number becomes part of an etcd key.";
        }
        {
          assertion =
            let
              different = values: lib.unique values == values;
            in
            different (portsOf app) && different (map (one: one.unit) (lib.attrValues app.copies));
          message = "infrastructure.apps.${name}.copies: each needs a port and a unit of its own.";
        }
      ]) apps
    );
  };
}
