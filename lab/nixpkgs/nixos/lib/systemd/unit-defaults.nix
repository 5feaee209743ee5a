# What a unit's options imply: settings of [Unit] from the plain options, scripts, PATH.
{ lib, pkgs, systemd, strictShellChecks }:
let
  inherit (lib) mkIf mkMerge optionalAttrs;
  names = import ./names.nix { inherit lib; };

  triggerFile = kind: name: triggers: "${pkgs.writeText "X-${kind}-Triggers-${name}" (
    toString (map (x: if builtins.isPath x then "${x}" else x) (lib.flatten triggers))
  )}";

  words = name: list: optionalAttrs (list != [ ]) { ${name} = toString list; };

  # The derivation's name differs from the script's, which stands in every line of the journal.
  makeJobScript =
    { name, text, strict }:
    let
      scriptName = lib.replaceStrings [ "\\" "@" ] [ "-" "_" ] (lib.replaceStrings [ "\\" ] [ "\\\\" ] name);
      script =
        if strict then pkgs.writeShellApplication { name = scriptName; inherit text; }
        else pkgs.writeShellScriptBin scriptName "set -e\n\n${text}\n";
    in
    lib.getExe (script.overrideAttrs (_: { name = "unit-script-${scriptName}"; }));
in
rec {
  common =
    { config, name, options, ... }:
    {
      config.unitConfig =
        words "Requires" config.requires
        // words "Wants" config.wants
        // words "Upholds" config.upholds
        // words "After" config.after
        // words "Before" config.before
        // words "BindsTo" config.bindsTo
        // words "PartOf" config.partOf
        // words "Conflicts" config.conflicts
        // words "Requisite" config.requisite
        // words "Documentation" config.documentation
        // words "OnFailure" config.onFailure
        // words "OnSuccess" config.onSuccess
        // optionalAttrs (config.restartTriggers != [ ]) { X-Restart-Triggers = triggerFile "Restart" name config.restartTriggers; }
        // optionalAttrs (config.reloadTriggers != [ ]) { X-Reload-Triggers = triggerFile "Reload" name config.reloadTriggers; }
        // optionalAttrs (config.description != "") { Description = config.description; }
        // optionalAttrs options.startLimitIntervalSec.isDefined { StartLimitIntervalSec = toString config.startLimitIntervalSec; }
        // optionalAttrs options.startLimitBurst.isDefined { StartLimitBurst = toString config.startLimitBurst; };
    };

  # Scripts sit in a module of their own below the service's, so that their ExecStartPre comes before the user's.
  serviceScripts =
    { name, config, ... }:
    let
      job = suffix: text: makeJobScript {
        name = "${name}-${suffix}";
        inherit text;
        strict = config.enableStrictShellChecks;
      };
      hook =
        text: suffix: setting:
        mkIf (text != "") (
          let
            script = job suffix text;
          in
          {
            jobScripts = script;
            serviceConfig = setting script;
          }
        );
    in
    {
      config = mkMerge [
        (hook config.preStart "pre-start" (script: { ExecStartPre = [ script ]; }))
        (hook config.script "start" (script: { ExecStart = script + " " + config.scriptArgs; }))
        (hook config.postStart "post-start" (script: { ExecStartPost = [ script ]; }))
        (hook config.reload "reload" (script: { ExecReload = script; }))
        (hook config.preStop "pre-stop" (script: { ExecStop = script; }))
        (hook config.postStop "post-stop" (script: { ExecStopPost = script; }))
      ];
    };

  service =
    { config, ... }:
    {
      config = {
        environment.PATH = mkIf (config.path != [ ]) "${lib.makeBinPath config.path}:${lib.makeSearchPathOutput "bin" "sbin" config.path}";
        enableStrictShellChecks = lib.mkOptionDefault strictShellChecks;
        path = lib.mkAfter [ pkgs.coreutils pkgs.findutils pkgs.gnugrep pkgs.gnused systemd ];
      };
    };

  mount =
    { config, ... }:
    {
      config.mountConfig =
        {
          What = config.what;
          Where = config.where;
        }
        // optionalAttrs (config.type != "") { Type = config.type; }
        // optionalAttrs (config.options != "") { Options = config.options; };
    };
  mountName = mount: "${names.escapePath mount.where}.mount";
}
