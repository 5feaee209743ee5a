# File sets: only what configurations use to list the .nix files of a folder.
{ lib }:
let
  inherit (builtins) attrNames concatMap filter readDir;

  filesOf =
    path:
    let
      entries = readDir path;
    in
    concatMap (
      name: if entries.${name} == "directory" then filesOf (path + "/${name}") else [ (path + "/${name}") ]
    ) (attrNames entries);

  isDirectory = path: builtins.pathExists (toString path + "/.");

  toSet =
    v:
    if v._type or null == "fileset" then v
    else if !(builtins.isPath v) then throw "lib.fileset: a file set or a path is expected, but the value is of type ${builtins.typeOf v}."
    else if !(builtins.pathExists v) then throw "lib.fileset: the path ${toString v} does not exist; use `lib.fileset.maybeMissing` if it may be missing."
    else fromFiles (if isDirectory v then filesOf v else [ v ]);

  fromFiles = files: {
    _type = "fileset";
    inherit files;
  };
in
{
  toList = v: (toSet v).files;
  maybeMissing = path: if builtins.pathExists path then toSet path else fromFiles [ ];
  union = a: b: fromFiles (lib.unique ((toSet a).files ++ (toSet b).files));
  unions = sets: fromFiles (lib.unique (concatMap (s: (toSet s).files) sets));
  difference = a: b: fromFiles (lib.subtractLists (toSet b).files (toSet a).files);
  intersection = a: b: fromFiles (lib.intersectLists (toSet b).files (toSet a).files);
  fileFilter =
    predicate: path:
    fromFiles (
      filter (
        file:
        let
          name = baseNameOf file;
        in
        predicate {
          inherit name;
          type = "regular";
          hasExt = ext: lib.hasSuffix ".${ext}" name;
        }
      ) (toSet path).files
    );
}
