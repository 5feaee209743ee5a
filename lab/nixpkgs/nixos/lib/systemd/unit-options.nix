# The options of a unit, by kind. Names, types and defaults are NixOS's; `unitConfig` and its siblings take any setting.
{ lib }:
let
  inherit (lib) mkOption types;
  inherit (import ./names.nix { inherit lib; }) unitNameType;

  # A setting: lists repeat the line and are joined over definitions, anything else must be said once.
  unitOption = lib.mkOptionType {
    name = "systemd option";
    merge =
      loc: defs:
      let
        kept = lib.filterOverrides defs;
        isList = def: builtins.isList def.value;
      in
      if lib.all isList kept then builtins.concatLists (lib.getValues kept)
      else if lib.any isList kept then
        throw "The definitions for systemd unit options should be either all lists, representing repeatable options, or all non-lists, but for the option ${lib.showOption loc}, the definitions are a mix of list and non-list ${lib.options.showDefs kept}"
      else lib.mergeEqualOption loc kept;
  };

  # Refuses a known setting with an unknown value; the conditions around it are looked through.
  section =
    label: allowed:
    let
      plain = v: if v._type or "" == "override" || v._type or "" == "if" then plain v.content else v;
      bad = attrs: lib.filter (n: attrs ? ${n} && !(lib.elem (plain attrs.${n}) allowed.${n})) (lib.attrNames allowed);
      check =
        attrs:
        let
          names = bad attrs;
        in
        if names == [ ] then true
        else builtins.trace "Systemd ${label} field `${lib.head names}' cannot have value `${toString (plain attrs.${lib.head names})}'." false;
    in
    types.addCheck (types.attrsOf unitOption) check;

  settings = label: allowed: mkOption {
    default = { };
    type = section label allowed;
    description = "Settings of the section [${label}].";
  };
  unitNames = description: mkOption {
    default = [ ];
    type = types.listOf unitNameType;
    inherit description;
  };
  lines = description: mkOption {
    default = "";
    type = types.lines;
    inherit description;
  };

  serviceSection = settings "Service" {
    Type = [ "exec" "simple" "forking" "oneshot" "dbus" "notify" "notify-reload" "idle" ];
    Restart = [ "no" "on-success" "on-failure" "on-abnormal" "on-watchdog" "on-abort" "always" ];
  };
in
rec {
  inherit unitOption unitNameType;

  shared = {
    enable = mkOption {
      default = true;
      type = types.bool;
      description = "If false, the unit is a link to /dev/null.";
    };
    overrideStrategy = mkOption {
      default = "asDropinIfExists";
      type = types.enum [ "asDropinIfExists" "asDropin" ];
      description = "Whether the unit is a file of its own or a drop-in of one that exists.";
    };
    requiredBy = unitNames "Units that need this one.";
    upheldBy = unitNames "Units that keep this one running.";
    wantedBy = unitNames "Units that start this one.";
    aliases = unitNames "Other names of the unit.";
  };

  concrete = shared // {
    text = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "Text of the unit.";
    };
    unit = mkOption {
      internal = true;
      description = "The generated unit.";
    };
  };

  common = {
    options = shared // {
      description = mkOption {
        default = "";
        type = types.singleLineStr;
        description = "What systemd calls the unit in its messages.";
      };
      documentation = mkOption {
        default = [ ];
        type = types.listOf types.str;
        description = "Where to read about it.";
      };
      requires = unitNames "Units that start with this one and whose stop stops it.";
      wants = unitNames "Units that start with this one.";
      upholds = unitNames "Units that are kept running while this one runs.";
      after = unitNames "Units that must be up first, if they start too.";
      before = unitNames "Units that start later, if they start too.";
      bindsTo = unitNames "Like requires, and stops when they vanish.";
      partOf = unitNames "Units whose stop and restart are this one's too.";
      conflicts = unitNames "Units that cannot run beside this one.";
      requisite = unitNames "Units that must run already.";
      unitConfig = mkOption {
        default = { };
        type = types.attrsOf unitOption;
        description = "Settings of the section [Unit].";
      };
      onFailure = unitNames "Units to start when this one fails.";
      onSuccess = unitNames "Units to start when this one ends well.";
      startLimitBurst = mkOption {
        type = types.int;
        description = "How many starts are allowed within the interval.";
      };
      startLimitIntervalSec = mkOption {
        type = types.int;
        description = "The interval, in seconds.";
      };
      restartTriggers = mkOption {
        default = [ ];
        type = types.listOf types.unspecified;
        description = "A change of any of these restarts the unit at the next switch.";
      };
      reloadTriggers = mkOption {
        default = [ ];
        type = types.listOf unitOption;
        description = "A change of any of these, and of nothing else, reloads the unit at the next switch.";
      };
    };
  };

  service =
    { name, config, ... }:
    {
      imports = [ common ];
      options = {
        environment = mkOption {
          default = { };
          type = with types; attrsOf (nullOr (oneOf [ str path package ]));
          description = "Environment of the processes.";
        };
        path = mkOption {
          default = [ ];
          type = with types; listOf (oneOf [ package str ]);
          description = "Packages whose bin and sbin make up PATH.";
        };
        serviceConfig = serviceSection;
        enableStrictShellChecks = mkOption {
          type = types.bool;
          description = "Whether the scripts are checked by shellcheck and run with strict options.";
        };
        script = lines "Shell commands that are the main process.";
        scriptArgs = mkOption {
          type = types.str;
          default = "";
          description = "Arguments of the script.";
        };
        preStart = lines "Shell commands before the main process.";
        postStart = lines "Shell commands after its start.";
        reload = lines "Shell commands that reload it.";
        preStop = lines "Shell commands that stop it.";
        postStop = lines "Shell commands after its end.";
        jobScripts = mkOption {
          type = with types; coercedTo path lib.singleton (listOf path);
          internal = true;
          default = [ ];
          description = "Derivations of all scripts of the unit.";
        };
        restartIfChanged = mkOption {
          type = types.bool;
          default = true;
          description = "Whether a switch restarts the unit when it changed.";
        };
        reloadIfChanged = mkOption {
          type = types.bool;
          default = false;
          description = "Whether a switch reloads the unit when it changed.";
        };
        stopIfChanged = mkOption {
          type = types.bool;
          default = true;
          description = "Whether a restart is a stop with the old unit and a start with the new one.";
        };
        notSocketActivated = mkOption {
          type = types.bool;
          default = false;
          description = "Whether the unit is restarted itself although it has a socket.";
        };
        startAt = mkOption {
          type = with types; either str (listOf str);
          default = [ ];
          apply = v: if builtins.isList v then v else [ v ];
          description = "Times at which a timer starts the unit.";
        };
      };
    };

  socket = {
    imports = [ common ];
    options = {
      listenStreams = mkOption {
        default = [ ];
        type = types.listOf types.str;
        description = "Stream addresses.";
      };
      listenDatagrams = mkOption {
        default = [ ];
        type = types.listOf types.str;
        description = "Datagram addresses.";
      };
      socketConfig = settings "Socket" { };
    };
  };
  timer = {
    imports = [ common ];
    options.timerConfig = settings "Timer" { };
  };
  path = {
    imports = [ common ];
    options.pathConfig = settings "Path" { };
  };
  slice = {
    imports = [ common ];
    options.sliceConfig = settings "Slice" { };
  };
  mount = {
    imports = [ common ];
    options = {
      what = mkOption {
        type = types.str;
        description = "What is mounted.";
      };
      where = mkOption {
        type = types.str;
        description = "Where it is mounted.";
      };
      type = mkOption {
        default = "";
        type = types.str;
        description = "File system type.";
      };
      options = mkOption {
        default = "";
        type = types.commas;
        description = "Mount options.";
      };
      mountConfig = settings "Mount" { };
    };
  };
}
