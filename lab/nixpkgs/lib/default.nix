# The library of the stand-in: the part of nixpkgs' `lib` that configurations of this kind use, with the same names
# and the same results. What nixpkgs keeps only in a sub-library (`lib.strings.trim`) is only there here too.
let
  lib =
    let
      load = file: import file { inherit lib; };
      trivial = load ./trivial.nix;
      lists = load ./lists.nix;
      attrsets = load ./attrsets.nix;
      strings = load ./strings.nix;
      options = load ./options.nix;
      meta = load ./meta.nix;
      typeLib = load ./types.nix;
      modules = load ./modules.nix;
    in
    removeAttrs trivial [ "version" "revisionWithDefault" ]
    // lists
    // removeAttrs attrsets [ "updateOne" ]
    // removeAttrs strings [
      "trim"
      "trimWith"
      "escapeNixString"
      "sanitizeDerivationName"
      "toJSON"
      "fromJSON"
      "match"
      "split"
      "isConvertibleWithToString"
      "join"
      "unsafeDiscardStringContext"
      "hasContext"
      "getContext"
      "concatMapAttrsStringSep"
      "boolToYesNo"
      "toSentenceCase"
    ]
    // {
      inherit (options)
        isOption
        mkOption
        mkEnableOption
        mkPackageOption
        mkSinkUndeclaredOptions
        mergeDefaultOption
        mergeOneOption
        mergeEqualOption
        mergeUniqueOption
        getValues
        getFiles
        optionAttrSetToDocList
        literalExpression
        literalExample
        literalMD
        showOption
        showFiles
        unknownModule
        ;
      inherit (typeLib) mkOptionType isType setType isOptionType;
      types = typeLib;
      inherit (meta) addMetaAttrs setName lowPrio hiPrio setPrio getExe getExe';
    }
    // modules
    // {
      inherit
        trivial
        lists
        attrsets
        strings
        options
        meta
        modules
        ;
      fileset = load ./fileset.nix;
      generators = load ./generators.nix;
      asserts = { inherit (trivial) assertMsg; };
      customisation = load ./customisation.nix;
      inherit (load ./customisation.nix) makeOverridable callPackageWith makeScope;
      fixedPoints = { inherit (trivial) fix extends composeManyExtensions; };
      versions = strings.versions;
      licenses = { };
      maintainers = { };
      platforms = {
        linux = [ "x86_64-linux" "aarch64-linux" ];
        all = [ "x86_64-linux" "aarch64-linux" ];
      };
      systems.flakeExposed = [ "x86_64-linux" "aarch64-linux" ];
      fakeHash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
      fakeSha256 = "0000000000000000000000000000000000000000000000000000000000000000";

      # Evaluates a whole NixOS system. A plain import: the flake and `<nixpkgs/nixos>` give the same result.
      nixosSystem =
        args:
        import ../nixos/lib/eval-config.nix (
          {
            inherit lib;
            system = null;
          }
          // args
        );
    };
in
lib
