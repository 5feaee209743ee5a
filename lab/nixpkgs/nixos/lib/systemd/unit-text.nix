# The text of a unit from its options. The order of lines is NixOS's: settings sorted by name within their section,
# Environment= and the X- marks of the switch before them.
{ lib, globalEnvironment }:
let
  inherit (lib) concatMapStrings optionalString;

  value = v: if v == true then "true" else if v == false then "false" else toString v;
  section = settings: lib.concatStrings (
    lib.mapAttrsToList (name: v: concatMapStrings (x: "${name}=${value x}\n") (lib.toList v)) settings
  );

  # The blank line after [Unit] is part of the text, and so of what decides whether a unit changed.
  unit = def: body: "[Unit]\n${section def.unitConfig}\n" + body;
  install = def: optionalString (def.wantedBy != [ ]) "\n[Install]\nWantedBy=${lib.concatStringsSep " " def.wantedBy}\n";
  withInstall = def: body: unit def body + install def;

  environmentLines =
    env:
    concatMapStrings (
      n: optionalString (env.${n} != null) "Environment=${builtins.toJSON "${n}=${env.${n}}"}\n"
    ) (lib.attrNames env);

  marks =
    def:
    if def.reloadIfChanged then "X-ReloadIfChanged=true\n"
    else if !def.restartIfChanged then "X-RestartIfChanged=false\n"
    else "";
  plain = name: settings: def: withInstall def "[${name}]\n${section (settings def)}\n";

  listen = key: addresses: lib.concatMapStringsSep "\n" (a: "${key}=${a}") addresses + "\n";
in
{
  target = def: unit def "";
  service =
    def:
    withInstall def (
      "[Service]\n"
      + environmentLines (globalEnvironment // def.environment)
      + marks def
      + optionalString (!def.stopIfChanged) "X-StopIfChanged=false\n"
      + optionalString def.notSocketActivated "X-NotSocketActivated=true\n"
      + section def.serviceConfig
    );
  socket =
    def:
    withInstall def (
      "[Socket]\n${section def.socketConfig}\n" + listen "ListenStream" def.listenStreams + listen "ListenDatagram" def.listenDatagrams
    );
  timer = plain "Timer" (def: def.timerConfig);
  path = plain "Path" (def: def.pathConfig);
  slice = plain "Slice" (def: def.sliceConfig);
  mount = plain "Mount" (def: def.mountConfig);
}
