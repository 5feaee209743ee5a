# users.users and users.groups: accounts are made by Debian's useradd at activation. Accounts that are no longer declared
# stay, because a file may still belong to them; on NixOS they go when users.mutableUsers is false.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.users;
  optionalStr = description: mkOption { type = with types; nullOr str; default = null; inherit description; };

  user =
    { name, config, ... }:
    {
      options = {
        enable = mkOption { type = types.bool; default = true; description = "Whether the account exists."; };
        name = mkOption { type = types.passwdEntry types.str; description = "Login name."; };
        description = mkOption { type = types.passwdEntry types.str; default = ""; description = "Who it is."; };
        uid = mkOption { type = with types; nullOr int; default = null; description = "Numeric id; null: the next free one."; };
        isSystemUser = mkOption { type = types.bool; default = false; description = "An account for a service."; };
        isNormalUser = mkOption { type = types.bool; default = false; description = "An account for a person."; };
        group = mkOption { type = types.str; default = ""; description = "Primary group."; };
        extraGroups = mkOption { type = types.listOf types.str; default = [ ]; description = "More groups."; };
        home = mkOption { type = types.passwdEntry types.path; default = "/var/empty"; description = "Home folder."; };
        homeMode = mkOption { type = types.strMatching "[0-7]{1,5}"; default = "700"; description = "Mode of the home folder."; };
        createHome = mkOption { type = types.bool; default = false; description = "Whether the home folder is made."; };
        shell = mkOption { type = with types; nullOr (either shellPackage (passwdEntry path)); default = "/usr/sbin/nologin"; description = "Login shell."; };
        useDefaultShell = mkOption { type = types.bool; default = false; description = "Whether the shell is bash."; };
        linger = mkOption { type = types.bool; default = false; description = "Recorded only."; };
        packages = mkOption { type = types.listOf types.package; default = [ ]; description = "Recorded only."; };
        subUidRanges = mkOption { type = types.listOf types.attrs; default = [ ]; description = "Recorded only."; };
        subGidRanges = mkOption { type = types.listOf types.attrs; default = [ ]; description = "Recorded only."; };
        autoSubUidGidRange = mkOption { type = types.bool; default = false; description = "Recorded only."; };
        hashedPassword = optionalStr "Recorded only: machines of the lab take keys, not passwords.";
        hashedPasswordFile = optionalStr "Recorded only.";
        initialHashedPassword = optionalStr "Recorded only.";
        initialPassword = optionalStr "Recorded only.";
        password = optionalStr "Recorded only.";
        openssh.authorizedKeys = {
          keys = mkOption { type = types.listOf types.singleLineStr; default = [ ]; description = "SSH keys that may log in."; };
          keyFiles = mkOption { type = types.listOf types.path; default = [ ]; description = "Files of such keys."; };
        };
      };
      config = lib.mkMerge [
        {
          name = lib.mkDefault name;
          shell = lib.mkIf config.useDefaultShell (lib.mkDefault "/bin/bash");
        }
        (lib.mkIf config.isNormalUser {
          group = lib.mkDefault "users";
          createHome = lib.mkDefault true;
          home = lib.mkDefault "/home/${config.name}";
          useDefaultShell = lib.mkDefault true;
        })
      ];
    };

  group =
    { name, ... }:
    {
      options = {
        name = mkOption { type = types.passwdEntry types.str; description = "Name of the group."; };
        gid = mkOption { type = with types; nullOr int; default = null; description = "Numeric id; null: the next free one."; };
        members = mkOption { type = with types; listOf (passwdEntry str); default = [ ]; description = "Its members."; };
      };
      config.name = lib.mkDefault name;
    };

  enabled = lib.filter (u: u.enable) (lib.attrValues cfg.users);
  ofDebian = [ "root" "nobody" ];
  q = lib.escapeShellArg;

  groupLine = g: "ensure_group ${lib.escapeShellArgs [ g.name (if g.gid == null then "" else toString g.gid) ]}\n";
  userLine = u: "ensure_user ${
    lib.escapeShellArgs [
      u.name
      (if u.uid == null then "" else toString u.uid)
      u.group
      u.home
      (if u.shell == null then "/usr/sbin/nologin" else "${u.shell}")
      (if u.isSystemUser then "system" else "normal")
      u.description
      (lib.concatStringsSep "," (lib.unique (u.extraGroups ++ lib.concatMap (g: lib.optional (lib.elem u.name g.members) g.name) (lib.attrValues cfg.groups))))
    ]
  }\n" + lib.optionalString u.createHome "install -d -m ${q u.homeMode} -o ${q u.name} -g ${q u.group} ${q u.home}\n";
in
{
  options.users = {
    mutableUsers = mkOption { type = types.bool; default = true; description = "Whether accounts may be changed by hand (recorded only)."; };
    users = mkOption { default = { }; type = types.attrsOf (types.submodule user); description = "Accounts."; };
    groups = mkOption { default = { }; type = types.attrsOf (types.submodule group); description = "Groups."; };
    defaultUserShell = mkOption { type = types.either types.path types.shellPackage; default = "/bin/bash"; description = "Shell of people."; };
    motd = mkOption { type = with types; nullOr lines; default = null; description = "Message at login."; };
  };

  config = {
    users.users = {
      root = { uid = 0; description = "System administrator"; home = "/root"; shell = lib.mkDefault "/bin/bash"; group = "root"; };
      nobody = { uid = 65534; isSystemUser = true; description = "Unprivileged account (don't use!)"; group = "nogroup"; };
    };
    users.groups = {
      root.gid = 0;
      wheel.gid = 1;
      users.gid = 100;
      nogroup.gid = 65534;
    };

    assertions = lib.concatMap (
      u:
      [
        {
          assertion = u.name == "root" || u.isSystemUser != u.isNormalUser;
          message = "Exactly one of users.users.${u.name}.isSystemUser and users.users.${u.name}.isNormalUser must be set.";
        }
        {
          assertion = u.group != "";
          message = "users.users.${u.name}.group is unset. Give the account a group of its own: users.users.${u.name}.group = \"${u.name}\"; users.groups.${u.name} = { };";
        }
        {
          assertion = u.group == "" || lib.any (g: g.name == u.group) (lib.attrValues cfg.groups);
          message = "users.users.${u.name}.group is ${u.group}, a group that is not declared.";
        }
      ]
    ) enabled;

    environment.etc = lib.mkMerge (
      [ (lib.mkIf (cfg.motd != null) { motd.text = cfg.motd; }) ]
      ++ map (
        u:
        lib.mkIf (u.openssh.authorizedKeys.keys != [ ] || u.openssh.authorizedKeys.keyFiles != [ ]) {
          "ssh/authorized_keys.d/${u.name}" = {
            mode = "0444";
            source = pkgs.writeText "${u.name}-authorized_keys" (
              lib.concatLines (u.openssh.authorizedKeys.keys ++ map builtins.readFile u.openssh.authorizedKeys.keyFiles)
            );
          };
        }
      ) enabled
    );

    system.activationScripts.groups.text = ''
      ensure_group() { # NAME GID
        getent group "$1" >/dev/null || groupadd --force --system ''${2:+--gid "$2"} "$1"
      }
    '' + lib.concatMapStrings groupLine (lib.filter (g: !(lib.elem g.name [ "root" "nogroup" "users" ] || g.name == "wheel")) (lib.attrValues cfg.groups)) + ''
      getent group wheel >/dev/null || groupadd --system wheel
    '';
    system.activationScripts.users = {
      deps = [ "groups" ];
      text = ''
        ensure_user() { # NAME UID GROUP HOME SHELL KIND DESCRIPTION EXTRA_GROUPS
          if getent passwd "$1" >/dev/null; then
            # A running service holds its account, and usermod then refuses what does not change anyway.
            local now; now=$(getent passwd "$1" | cut -d: -f5-7)
            if [ "$now" != "$7:$4:$5" ] || [ "$(id -gn "$1")" != "$3" ]; then
              usermod --comment "$7" --home "$4" --shell "$5" --gid "$3" "$1" || _localstatus=1
            fi
            if [ -n "$8" ]; then usermod --append --groups "$8" "$1"; fi
          else
            local kind=(); [ "$6" != system ] || kind=(--system)
            useradd --no-create-home ''${kind[@]+"''${kind[@]}"} ''${2:+--uid "$2"} --gid "$3" --home-dir "$4" --shell "$5" --comment "$7" ''${8:+--groups "$8"} "$1"
          fi
        }
      '' + lib.concatMapStrings userLine (lib.filter (u: !(lib.elem u.name ofDebian)) enabled);
    };
  };
}
