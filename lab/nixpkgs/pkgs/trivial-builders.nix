# Texts, scripts and trees of links as store paths.
{ lib, pkgs }:
let
  inherit (pkgs) mkHostDerivation;
in
rec {
  writeTextFile =
    {
      name,
      text,
      executable ? false,
      # Where inside the output; "" makes the output itself the file.
      destination ? "",
      checkPhase ? "",
      meta ? { },
      passthru ? { },
      allowSubstitutes ? false,
      preferLocalBuild ? true,
      derivationArgs ? { },
    }:
    assert lib.assertMsg (destination == "" || (lib.hasPrefix "/" destination && destination != "/"))
      "writeTextFile: destination must be an absolute path below the output, but it is `${destination}'";
    mkHostDerivation (
      {
        inherit name text passthru;
        passAsFile = [ "text" ];
        meta =
          lib.optionalAttrs (executable && lib.hasPrefix "/bin/" destination) { mainProgram = lib.removePrefix "/bin/" destination; }
          // meta;
        script = ''
          target="$out"${lib.escapeShellArg destination}
          mkdir -p "$(dirname "$target")"
          mv "$textPath" "$target"
          ${lib.optionalString executable ''chmod +x "$target"''}
          ${checkPhase}
        '';
      }
      // derivationArgs
    );

  writeText = name: text: writeTextFile { inherit name text; };
  writeTextDir = path: text: writeTextFile {
    name = baseNameOf path;
    inherit text;
    destination = "/${path}";
  };
  writeScript = name: text: writeTextFile { inherit name text; executable = true; };
  writeScriptBin = name: text: writeTextFile {
    inherit name text;
    executable = true;
    destination = "/bin/${name}";
  };
  writeShellScript = name: text: writeTextFile {
    inherit name;
    executable = true;
    text = "#!${pkgs.runtimeShell}\n${text}\n";
    checkPhase = ''bash -n -O extglob "$target"'';
  };
  writeShellScriptBin = name: text: writeTextFile {
    inherit name;
    executable = true;
    destination = "/bin/${name}";
    text = "#!${pkgs.runtimeShell}\n${text}\n";
    checkPhase = ''bash -n -O extglob "$target"'';
    meta.mainProgram = name;
  };

  # The real one also runs shellcheck; here the syntax alone is checked.
  writeShellApplication =
    {
      name,
      text,
      runtimeInputs ? [ ],
      runtimeEnv ? null,
      meta ? { },
      passthru ? { },
      checkPhase ? null,
      excludeShellChecks ? [ ],
      extraShellCheckFlags ? [ ],
      bashOptions ? [ "errexit" "nounset" "pipefail" ],
      derivationArgs ? { },
      inheritPath ? true,
    }:
    writeTextFile {
      inherit name derivationArgs passthru;
      executable = true;
      destination = "/bin/${name}";
      meta = { mainProgram = name; } // meta;
      text = ''
        #!${pkgs.runtimeShell}
        ${lib.concatMapStringsSep "\n" (option: "set -o ${option}") bashOptions}
      ''
      + lib.optionalString (runtimeEnv != null) (
        lib.concatStrings (
          lib.mapAttrsToList (n: v: ''
            ${lib.toShellVar n v}
            export ${n}
          '') runtimeEnv
        )
      )
      + lib.optionalString (runtimeInputs != [ ]) ''

        export PATH="${lib.makeBinPath runtimeInputs}${lib.optionalString inheritPath ":$PATH"}"
      ''
      + ''

        ${text}
      '';
      checkPhase = if checkPhase != null then checkPhase else ''bash -n -O extglob "$target"'';
    };

  runCommand =
    name: env: script:
    mkHostDerivation (env // { inherit name script; });
  runCommandLocal = runCommand;
  runCommandNoCC = runCommand;

  concatTextFile =
    { name, files, executable ? false, destination ? "" }:
    runCommand name { } ''
      target="$out${destination}"
      mkdir -p "$(dirname "$target")"
      cat ${lib.escapeShellArgs files} > "$target"
      ${lib.optionalString executable ''chmod +x "$target"''}
    '';
  concatText = name: files: concatTextFile { inherit name files; };

  linkFarm =
    name: entries:
    let
      list = if lib.isAttrs entries then lib.mapAttrsToList (name: path: { inherit name path; }) entries else entries;
    in
    runCommand name { } ''
      mkdir -p $out
      cd $out
      ${lib.concatMapStrings (entry: ''
        mkdir -p ${lib.escapeShellArg (dirOf entry.name)}
        ln -sfn ${lib.escapeShellArg "${entry.path}"} ${lib.escapeShellArg entry.name}
      '') list}
    '';
  linkFarmFromDrvs = name: drvs: linkFarm name (map (drv: { inherit (drv) name; path = drv; }) drvs);

  # Trees laid over each other. Of two files with the same name the one of the better (lower) priority stays, as with
  # the real one; with equal priorities the first.
  buildEnv =
    {
      name,
      paths,
      pathsToLink ? [ "/" ],
      extraPrefix ? "",
      ignoreCollisions ? false,
      extraOutputsToInstall ? [ ],
      postBuild ? "",
      meta ? { },
      passthru ? { },
      nativeBuildInputs ? [ ],
      buildInputs ? [ ],
      manifest ? "",
      checkCollisionContents ? true,
      ignoreSingleFileOutputs ? false,
    }:
    let
      ranked = lib.sort (a: b: (a.meta.priority or 5) < (b.meta.priority or 5)) (lib.filter (p: p != null) paths);
    in
    mkHostDerivation {
      inherit name meta passthru;
      paths = map (p: "${p}") (lib.unique ranked);
      wanted = map (lib.removePrefix "/") pathsToLink;
      script = ''
        prefix="$out${extraPrefix}"
        mkdir -p "$prefix"
        merge() { # SOURCE TARGET: directories are merged, everything else is linked once
          local entry name
          mkdir -p "$2"
          for entry in "$1"/*; do
            name=''${entry##*/}
            if [ ! -e "$entry" ] && [ ! -L "$entry" ]; then continue
            elif [ -d "$entry" ] && { [ -d "$2/$name" ] || [ ! -L "$entry" ]; }; then merge "$entry" "$2/$name"
            elif [ ! -e "$2/$name" ] && [ ! -L "$2/$name" ]; then ln -s "$entry" "$2/$name"
            fi
          done
        }
        ${
          if lib.elem "/" pathsToLink then ''for path in $paths; do merge "$path" "$prefix"; done''
          else ''for sub in $wanted; do for path in $paths; do [ -d "$path/$sub" ] && merge "$path/$sub" "$prefix/$sub"; done; done; true''
        }
        ${postBuild}
      '';
    };

  symlinkJoin =
    args@{
      name ? "${args.pname}-${args.version}",
      paths,
      postBuild ? "",
      meta ? { },
      passthru ? { },
      ...
    }:
    buildEnv { inherit name paths postBuild meta passthru; };

  emptyFile = writeText "empty-file" "";
  emptyDirectory = runCommand "empty-directory" { } "mkdir $out";
}
