# Containers as apps: each becomes a systemd unit and an entry of infrastructure.apps. The unit does not talk to etcd:
# the agent registers the app while it is healthy, so a container also starts while etcd is away.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.infrastructure.oci-containers;
  podman = "${config.virtualisation.podman.package}/bin/podman";

  strings =
    description:
    mkOption {
      type = types.listOf types.str;
      default = [ ];
      inherit description;
    };
  optionalString =
    description:
    mkOption {
      type = types.nullOr types.str;
      default = null;
      inherit description;
    };
  stringMap =
    description:
    mkOption {
      type = types.attrsOf types.str;
      default = { };
      inherit description;
    };

  container = {
    options = {
      app = {
        name = mkOption {
          type = types.str;
          description = "Name of the app in the mesh.";
        };
        serviceGroup = mkOption {
          type = types.enum [
            "frontends"
            "backends"
            "services"
          ];
          description = "Service group of the app.";
        };
        protocol = mkOption {
          type = types.str;
          default = "http";
          description = "`http`, or anything else for plain TCP.";
        };
        port = mkOption {
          type = types.port;
          description = "TCP port of the app.";
        };
        copy = mkOption {
          type = types.nullOr (types.submodule {
            options = {
              number = mkOption {
                type = types.ints.between 1 9999;
                description = "Number of the copy.";
              };
              port = mkOption {
                type = types.port;
                description = "TCP port of the copy on this node.";
              };
            };
          });
          default = null;
          description = ''
            Makes the container one of several copies of the app: give each of these containers the same `name`, `port` and group,
            and a number and port of its own.
          '';
        };
        auxPorts = mkOption {
          type = types.listOf types.port;
          default = [ ];
          description = "Further TCP ports that other nodes may reach over the overlay.";
        };
        path = mkOption {
          type = types.str;
          default = "";
          description = "Path that clients put behind host and port.";
        };
        envPrefix = optionalString "Prefix of the published variables; null for the name in upper case.";
        health = mkOption {
          type = types.attrsOf types.anything;
          default = { };
          description = "As in infrastructure.apps.<name>.health.";
        };
      };
      bindToIp = mkOption {
        type = types.str;
        default = "127.0.0.1";
        description = "Address under which the app is registered.";
      };
      image = mkOption {
        type = types.str;
        description = "Image to run.";
      };
      imageFile = mkOption {
        type = types.nullOr types.package;
        default = null;
        description = "Archive that is loaded before the start, instead of a pull.";
      };
      cmd = strings "Arguments for the image's entry point.";
      ports = strings "Published ports, as in podman run --publish.";
      volumes = strings "Volumes, as in podman run --volume.";
      dependsOn = strings "Containers of this node that start first.";
      extraOptions = strings "Further options of podman run.";
      environment = stringMap "Environment variables. They are in the store: no secrets.";
      labels = stringMap "Labels of the container.";
      environmentFiles = mkOption {
        type = types.listOf types.str;
        default = [ ];
        description = "Files with environment variables. Strings: a path literal would copy them to the store.";
      };
      environmentSecrets = mkOption {
        type = types.listOf (types.submodule {
          options = {
            name = mkOption {
              type = types.strMatching "[A-Za-z0-9._-]+";
              description = "Name of the secret: a file in /root/secrets, encrypted by systemd-creds.";
            };
            envVar = mkOption {
              type = types.strMatching "[A-Za-z_][A-Za-z0-9_]*";
              description = "Variable that gets its value.";
            };
          };
        });
        default = [ ];
        description = "Secrets that become environment variables. The values must be single lines.";
      };
      execHooks.ExecStartPre = strings "Commands that run before the container starts.";
      entrypoint = optionalString "Replaces the image's entry point.";
      hostname = optionalString "Host name inside the container.";
      user = optionalString "User inside the container.";
      workdir = optionalString "Working directory inside the container.";
      log-driver = mkOption {
        type = types.str;
        default = "journald";
        description = "Where the output goes.";
      };
      networkType = mkOption {
        type = types.nullOr (types.enum [ "host" ]);
        default = null;
        description = "`host` shares the node's network; null makes a network of its own.";
      };
      autoStart = mkOption {
        type = types.bool;
        default = true;
        description = "Whether it starts with the node.";
      };
    };
  };

  optionWith =
    flag: value:
    lib.optionals (value != null) [
      flag
      value
    ];
  each =
    flag:
    lib.concatMap (value: [
      flag
      value
    ]);

  runArguments =
    name: c:
    [
      "--rm"
      "--replace"
      "--name=${name}"
      "--log-driver=${c.log-driver}"
      # conmon tells systemd when the container runs, and is the process systemd watches.
      "--sdnotify=conmon"
      "--cgroups=split"
      "--detach"
    ]
    ++ optionWith "--entrypoint" c.entrypoint
    ++ optionWith "--hostname" c.hostname
    ++ optionWith "--user" c.user
    ++ optionWith "--workdir" c.workdir
    ++ optionWith "--network" c.networkType
    ++ each "--env" (lib.mapAttrsToList (key: value: "${key}=${value}") c.environment)
    ++ each "--label" (lib.mapAttrsToList (key: value: "${key}=${value}") c.labels)
    ++ each "--env-file" c.environmentFiles
    ++ lib.optionals (c.environmentSecrets != [ ]) [
      "--env-file"
      "/run/podman-${name}/secrets.env"
    ]
    ++ each "--publish" c.ports
    ++ each "--volume" c.volumes
    ++ c.extraOptions
    ++ [ c.image ]
    ++ c.cmd;

  # Through a file that only root reads: arguments of a process are visible to everybody on the node.
  writeSecrets =
    name: secrets:
    ''
      umask 077
      : > /run/podman-${name}/secrets.env
    ''
    + lib.concatMapStrings (secret: ''
      printf '%s=%s\n' ${secret.envVar} "$(cat "$CREDENTIALS_DIRECTORY/${secret.name}")" >> /run/podman-${name}/secrets.env
    '') secrets;

  unit = name: c: {
    description = "Container ${name}";
    wantedBy = lib.optional c.autoStart "multi-user.target";
    wants = [ "network-online.target" ];
    requires = map (other: "podman-${other}.service") c.dependsOn;
    after = [
      "network-online.target"
      "flannel.service"
    ]
    ++ map (other: "podman-${other}.service") c.dependsOn;
    startLimitIntervalSec = 0;
    preStart =
      lib.optionalString (c.environmentSecrets != [ ]) (writeSecrets name c.environmentSecrets)
      + lib.optionalString (c.imageFile != null) "${podman} load --input ${c.imageFile}\n"
      + lib.concatMapStrings (command: command + "\n") c.execHooks.ExecStartPre;
    script = "exec ${podman} run ${lib.escapeShellArgs (runArguments name c)}";
    preStop = "${podman} stop --ignore --time=60 ${name}";
    postStop = "${podman} rm --force --ignore ${name}";
    serviceConfig = {
      Type = "notify";
      NotifyAccess = "all";
      Delegate = true;
      Restart = "always";
      RestartSec = "2s";
      # The first start pulls the image.
      TimeoutStartSec = 0;
      TimeoutStopSec = 120;
      RuntimeDirectory = "podman-${name}";
      RuntimeDirectoryMode = "0700";
      LoadCredentialEncrypted = map (
        secret: "${secret.name}:/root/secrets/${secret.name}"
      ) c.environmentSecrets;
    };
  };
in
{
  options.infrastructure.oci-containers = {
    backend = mkOption {
      type = types.enum [ "podman" ];
      default = "podman";
      description = "What runs the containers.";
    };
    containers = mkOption {
      type = types.attrsOf (types.submodule container);
      default = { };
      description = "Containers of this node; each is an app of the mesh.";
    };
  };

  config = lib.mkIf (cfg.containers != { }) {
    systemd.services = lib.mapAttrs' (
      name: c: lib.nameValuePair "podman-${name}" (unit name c)
    ) cfg.containers;

    # Containers of the same app meet here: what they say of the app must be equal, and their copies come together.
    infrastructure.apps = lib.mkMerge (
      lib.mapAttrsToList (name: c: {
        ${c.app.name} = {
          group = c.app.serviceGroup;
          inherit (c.app)
            port
            protocol
            path
            health
            ;
          inherit (c) bindToIp;
        }
        // (
          if c.app.copy == null then
            { unit = "podman-${name}.service"; }
          else
            {
              copies.${toString c.app.copy.number} = {
                unit = "podman-${name}.service";
                inherit (c.app.copy) port;
              };
            }
        )
        // lib.optionalAttrs (c.app.envPrefix != null) { inherit (c.app) envPrefix; };
      }) cfg.containers
    );

    networking.firewall.interfaces.${config.infrastructure.flannel.interface}.allowedTCPPorts =
      lib.concatMap (c: c.app.auxPorts) (lib.attrValues cfg.containers);

    assertions = [
      {
        assertion = config.infrastructure.podman.enable;
        message = "infrastructure.oci-containers needs infrastructure.podman.enable = true.";
      }
    ];
  };
}
