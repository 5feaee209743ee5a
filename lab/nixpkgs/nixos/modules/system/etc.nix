# environment.etc: the files of /etc, built as one tree that /etc/static points at.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  entries = lib.filter (e: e.enable) (lib.attrValues config.environment.etc);

  # `entries` beside the tree says which names activation must place: TARGET MODE USER GROUP, one per line.
  etc = pkgs.runCommand "etc" { } ''
    mkdir -p $out/etc
    : > $out/entries
    add() { # SOURCE TARGET MODE USER GROUP
      mkdir -p "$out/etc/$(dirname "$2")"
      if [ -e "$out/etc/$2" ] || [ -L "$out/etc/$2" ]; then
        if [ "$(readlink "$out/etc/$2")" = "$1" ]; then return; fi
        echo "environment.etc: $2 is defined twice, as $1 and as $(readlink "$out/etc/$2")" >&2; exit 1
      fi
      ln -s "$1" "$out/etc/$2"
      printf '%s\t%s\t%s\t%s\n' "$2" "$3" "$4" "$5" >> $out/entries
    }
    # Debian keeps files of its own in /etc/systemd/system, so its content is placed file by file, not as one link.
    addTree() { # FOLDER TARGET
      ( cd "$1"; find . \( -type l -o -type f \) -printf '%P\n' | LC_ALL=C sort ) | while read -r name; do
        mkdir -p "$(dirname "$out/etc/$2/$name")"
        cp -P "$1/$name" "$out/etc/$2/$name"
        printf '%s\t%s\t%s\t%s\n' "$2/$name" symlink +0 +0 >> $out/entries
      done
    }
    ${lib.concatMapStrings (
      e:
      let
        args = lib.escapeShellArgs [ "${e.source}" e.target e.mode e.user e.group ];
      in
      if e.target == "systemd/system" then "addTree ${lib.escapeShellArgs [ "${e.source}" e.target ]}\n" else "add ${args}\n"
    ) entries}
  '';
in
{
  options = {
    environment.etc = mkOption {
      default = { };
      description = "Files below /etc.";
      type = types.attrsOf (
        types.submodule (
          { name, config, options, ... }:
          {
            options = {
              enable = mkOption { type = types.bool; default = true; description = "Whether the file exists."; };
              target = mkOption { type = types.str; description = "Its path below /etc."; };
              text = mkOption { type = types.nullOr types.lines; default = null; description = "Its text."; };
              source = mkOption { type = types.path; description = "The file it is."; };
              mode = mkOption { type = types.str; default = "symlink"; description = "symlink, direct-symlink, or a mode: then it is a copy."; };
              uid = mkOption { type = types.int; default = 0; description = "Owner of a copy."; };
              gid = mkOption { type = types.int; default = 0; description = "Group of a copy."; };
              user = mkOption { type = types.str; default = "+${toString config.uid}"; description = "Owner of a copy, by name."; };
              group = mkOption { type = types.str; default = "+${toString config.gid}"; description = "Group of a copy, by name."; };
            };
            config = {
              target = lib.mkDefault name;
              source = lib.mkIf (config.text != null) (
                let
                  name' = "etc-" + lib.replaceStrings [ "/" ] [ "-" ] name;
                in
                lib.mkDerivedConfig options.text (pkgs.writeText name')
              );
            };
          }
        )
      );
    };
    system.build = mkOption {
      default = { };
      type = types.submoduleWith {
        modules = [ { freeformType = types.lazyAttrsOf (types.uniq types.unspecified); } ];
      };
      description = "What the configuration builds.";
    };
  };

  config = {
    system.build.etc = etc;
    system.build.etcActivationCommands = "bash ${../../activation/setup-etc.sh} ${etc}\n";
    system.activationScripts.etc = {
      deps = [ "users" "groups" "specialfs" ];
      text = "bash ${../../activation/setup-etc.sh} ${etc}";
    };
  };
}
