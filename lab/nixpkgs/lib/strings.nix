{ lib }:
let
  inherit (builtins) concatStringsSep elemAt genList isString length replaceStrings stringLength substring;
in
rec {
  inherit (builtins)
    concatStringsSep
    isString
    match
    replaceStrings
    split
    stringLength
    substring
    toJSON
    fromJSON
    unsafeDiscardStringContext
    hasContext
    getContext
    ;

  concatStrings = concatStringsSep "";
  concatMapStrings = f: xs: concatStrings (map f xs);
  concatMapStringsSep = sep: f: xs: concatStringsSep sep (map f xs);
  concatImapStrings = f: xs: concatStrings (lib.imap1 f xs);
  concatImapStringsSep = sep: f: xs: concatStringsSep sep (lib.imap1 f xs);
  concatMapAttrsStringSep = sep: f: attrs: concatStringsSep sep (lib.mapAttrsToList f attrs);
  concatLines = concatMapStrings (s: s + "\n");
  intersperse =
    sep: xs:
    if length xs < 2 then xs
    else builtins.tail (builtins.concatMap (x: [ sep x ]) xs);
  join = concatStringsSep;
  optionalString = condition: s: if condition then s else "";
  stringToCharacters = s: genList (i: substring i 1 s) (stringLength s);
  stringAsChars = f: s: concatStrings (map f (stringToCharacters s));

  hasPrefix = prefix: s: substring 0 (stringLength prefix) s == prefix;
  hasSuffix =
    suffix: s:
    let
      n = stringLength s;
      k = stringLength suffix;
    in
    n >= k && substring (n - k) n s == suffix;
  hasInfix = infix: s: builtins.match ".*${escapeRegex infix}.*" "${s}" != null;
  removePrefix =
    prefix: s: if hasPrefix prefix s then substring (stringLength prefix) (-1) s else s;
  removeSuffix =
    suffix: s: if hasSuffix suffix s then substring 0 (stringLength s - stringLength suffix) s else s;

  splitString =
    sep: s:
    let
      parts = builtins.filter isString (builtins.split (escapeRegex (toString sep)) (toString s));
    in
    # `split` drops the string context: a piece of a store path must still drag its path along.
    map (part: substring 0 0 (toString s) + part) parts;

  trim = trimWith { start = true; end = true; };
  trimWith =
    { start ? false, end ? false }:
    s:
    let
      blank = " \t\r\n";
      pattern =
        if start && end then "[${blank}]*(.*[^${blank}])[${blank}]*"
        else if start then "[${blank}]*(.*)"
        else "(.*[^${blank}])[${blank}]*";
      found = builtins.match pattern s;
    in
    if !start && !end then s else if found == null then "" else builtins.head found;

  toLower = replaceStrings upperChars lowerChars;
  toUpper = replaceStrings lowerChars upperChars;
  lowerChars = stringToCharacters "abcdefghijklmnopqrstuvwxyz";
  upperChars = stringToCharacters "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  toSentenceCase = s: toUpper (substring 0 1 s) + toLower (substring 1 (-1) s);

  escape = chars: replaceStrings chars (map (c: "\\${c}") chars);
  escapeRegex = escape (stringToCharacters "\\[{()^$?*+|.");
  escapeNixString = s: escape [ "$" ] (builtins.toJSON s);
  escapeNixIdentifier = s: if builtins.match "[a-zA-Z_][a-zA-Z0-9_'-]*" s != null then s else escapeNixString s;
  escapeXML = replaceStrings [ "\"" "'" "<" ">" "&" ] [ "&quot;" "&apos;" "&lt;" "&gt;" "&amp;" ];
  # Quotes only where the shell would read the word differently, as the real one does since 23.11.
  escapeShellArg =
    arg:
    let
      s = toString arg;
    in
    if builtins.match "[[:alnum:],._+:@%/-]+" s == null then "'${replaceStrings [ "'" ] [ "'\\''" ] s}'" else s;
  escapeShellArgs = concatMapStringsSep " " escapeShellArg;
  isValidPosixName = name: builtins.match "[a-zA-Z_][a-zA-Z0-9_]*" name != null;
  toShellVar =
    name: value:
    if builtins.isAttrs value && !isStringLike value then
      "declare -A ${name}=(${concatStringsSep " " (lib.mapAttrsToList (n: v: "[${escapeShellArg n}]=${escapeShellArg v}") value)})"
    else if builtins.isList value then "declare -a ${name}=(${escapeShellArgs value})"
    else "${name}=${escapeShellArg value}";
  toShellVars = vars: concatStringsSep "\n" (lib.mapAttrsToList toShellVar vars);

  isStringLike = v: isString v || builtins.isPath v || v ? outPath || v ? __toString;
  isConvertibleWithToString =
    v:
    isStringLike v
    || builtins.elem (builtins.typeOf v) [ "null" "int" "float" "bool" ]
    || (builtins.isList v && builtins.all isConvertibleWithToString v);
  isStorePath =
    v:
    isStringLike v
    && (
      let
        s = toString v;
      in
      substring 0 1 s == "/" && dirOf s == builtins.storeDir
    );

  makeSearchPath =
    subDir: paths: concatStringsSep ":" (map (p: "${p}/${subDir}") (builtins.filter (p: p != null) paths));
  makeSearchPathOutput = output: subDir: pkgs: makeSearchPath subDir (map (lib.getOutput output) pkgs);
  makeBinPath = makeSearchPathOutput "bin" "bin";
  makeLibraryPath = makeSearchPathOutput "lib" "lib";

  versionOlder = a: b: builtins.compareVersions b a == 1;
  versionAtLeast = a: b: !versionOlder a b;
  getName = x: let parse = drv: (builtins.parseDrvName drv).name; in if isString x then parse x else x.pname or (parse x.name);
  getVersion = x: let parse = drv: (builtins.parseDrvName drv).version; in if isString x then parse x else x.version or (parse x.name);
  nameFromURL = url: sep: builtins.head (splitString sep (lib.last (splitString "/" url)));
  versions = {
    major = v: builtins.head (builtins.splitVersion v);
    minor = v: elemAt (builtins.splitVersion v) 1;
    majorMinor = v: concatStringsSep "." (lib.take 2 (builtins.splitVersion v));
  };

  toInt =
    s:
    let
      found = builtins.match "[[:space:]]*(-?[[:digit:]]+)[[:space:]]*" s;
      digits = builtins.head found;
    in
    if found == null then throw "toInt: cannot read ${escapeNixString s} as an integer"
    else if builtins.match "-?0[[:digit:]]+" digits != null then
      throw "toInt: ${escapeNixString s} has leading zeros; use toIntBase10"
    else builtins.fromJSON digits;
  toIntBase10 =
    s:
    let
      found = builtins.match "[[:space:]]*0*(-?[[:digit:]]+)[[:space:]]*" s;
    in
    if found == null then throw "toIntBase10: cannot read ${escapeNixString s} as an integer"
    else builtins.fromJSON (builtins.head found);
  fixedWidthString =
    width: filler: s:
    let
      missing = width - stringLength s;
    in
    if missing < 0 then throw "fixedWidthString: ${s} is longer than ${toString width}"
    else concatStrings (genList (_: filler) missing) + s;
  fixedWidthNumber = width: n: fixedWidthString width "0" (toString n);
  floatToString = toString;
  boolToString = lib.trivial.boolToString;
  boolToYesNo = b: if b then "yes" else "no";
  sanitizeDerivationName =
    s:
    let
      name = concatMapStrings (part: if builtins.isList part then "-" else part) (
        builtins.split "[^[:alnum:]+._?=-]+" (builtins.unsafeDiscardStringContext s)
      );
      noDot = builtins.head (builtins.match "[.]*(.*)" name);
      start = if stringLength noDot > 207 then stringLength noDot - 207 else 0;
      cut = substring start (-1) noDot;
    in
    if cut == "" then "unknown" else cut;
  commonPrefixLength =
    a: b:
    let
      n = lib.min (stringLength a) (stringLength b);
      go = i: if i >= n || substring i 1 a != substring i 1 b then i else go (i + 1);
    in
    go 0;
}
