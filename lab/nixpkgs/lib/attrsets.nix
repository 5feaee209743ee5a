{ lib }:
let
  inherit (builtins) attrNames concatMap head isAttrs length listToAttrs mapAttrs tail;
in
rec {
  inherit (builtins)
    attrNames
    attrValues
    catAttrs
    getAttr
    hasAttr
    intersectAttrs
    isAttrs
    listToAttrs
    mapAttrs
    removeAttrs
    zipAttrsWith
    ;

  nameValuePair = name: value: { inherit name value; };
  optionalAttrs = condition: attrs: if condition then attrs else { };
  genAttrs = names: f: listToAttrs (map (name: nameValuePair name (f name)) names);
  filterAttrs = predicate: attrs: builtins.removeAttrs attrs (builtins.filter (n: !predicate n attrs.${n}) (attrNames attrs));
  mapAttrs' = f: attrs: listToAttrs (map (n: f n attrs.${n}) (attrNames attrs));
  mapAttrsToList = f: attrs: map (n: f n attrs.${n}) (attrNames attrs);
  attrsToList = mapAttrsToList nameValuePair;
  concatMapAttrs = f: attrs: builtins.foldl' (acc: x: acc // x) { } (mapAttrsToList f attrs);
  mergeAttrsList = builtins.foldl' (acc: x: acc // x) { };
  foldAttrs =
    f: nul: sets:
    builtins.zipAttrsWith (_: values: lib.foldr f nul values) sets;
  foldlAttrs = f: start: attrs: builtins.foldl' (acc: n: f acc n attrs.${n}) start (attrNames attrs);
  zipAttrsWithNames =
    names: f: sets:
    genAttrs names (n: f n (builtins.catAttrs n sets));
  zipAttrs = builtins.zipAttrsWith (_: values: values);
  getAttrs = names: attrs: genAttrs names (n: attrs.${n});
  attrVals = names: attrs: map (n: attrs.${n}) names;
  collect =
    predicate: attrs:
    if predicate attrs then [ attrs ]
    else if isAttrs attrs then concatMap (collect predicate) (builtins.attrValues attrs)
    else [ ];
  cartesianProduct =
    sets:
    builtins.foldl' (
      rows: name: concatMap (row: map (value: row // { ${name} = value; }) sets.${name}) rows
    ) [ { } ] (attrNames sets);

  attrByPath =
    path: fallback: set:
    if path == [ ] then set
    else if isAttrs set && set ? ${head path} then attrByPath (tail path) fallback set.${head path}
    else fallback;
  hasAttrByPath =
    path: set:
    path == [ ] || (isAttrs set && set ? ${head path} && hasAttrByPath (tail path) set.${head path});
  getAttrFromPath =
    path: attrByPath path (throw "cannot find attribute `${lib.concatStringsSep "." path}'");
  setAttrByPath = path: value: if path == [ ] then value else { ${head path} = setAttrByPath (tail path) value; };
  updateManyAttrsByPath = updates: set: builtins.foldl' updateOne set updates;
  updateOne =
    set:
    { path, update }:
    if path == [ ] then update set
    else
      set
      // {
        ${head path} = updateOne (set.${head path} or { }) {
          path = tail path;
          inherit update;
        };
      };

  recursiveUpdateUntil =
    stop: lhs: rhs:
    let
      go =
        path:
        builtins.zipAttrsWith (
          n: values:
          let
            here = path ++ [ n ];
          in
          if length values == 1 || stop here (builtins.elemAt values 1) (head values) then head values
          else go here values
        );
    in
    # The right side comes first, so that `head` is the winner.
    go [ ] [ rhs lhs ];
  recursiveUpdate = recursiveUpdateUntil (_: lhs: rhs: !(isAttrs lhs && isAttrs rhs));
  matchAttrs =
    pattern: attrs:
    builtins.all (
      n:
      attrs ? ${n}
      && (
        if isAttrs pattern.${n} then isAttrs attrs.${n} && matchAttrs pattern.${n} attrs.${n}
        else pattern.${n} == attrs.${n}
      )
    ) (attrNames pattern);

  mapAttrsRecursive = mapAttrsRecursiveCond (_: true);
  mapAttrsRecursiveCond =
    descend: f: set:
    let
      go = path: mapAttrs (n: v: if isAttrs v && descend v then go (path ++ [ n ]) v else f (path ++ [ n ]) v);
    in
    go [ ] set;
  filterAttrsRecursive =
    predicate: attrs:
    mapAttrs (_: v: if isAttrs v then filterAttrsRecursive predicate v else v) (filterAttrs predicate attrs);

  isDerivation = v: v.type or null == "derivation";
  toDerivation =
    path:
    let
      full = builtins.storePath path;
      self = {
        type = "derivation";
        name = lib.strings.sanitizeDerivationName (builtins.substring 33 (-1) (baseNameOf full));
        outPath = full;
        outputs = [ "out" ];
        out = self;
        outputName = "out";
      };
    in
    self;
  recurseIntoAttrs = attrs: attrs // { recurseForDerivations = true; };
  dontRecurseIntoAttrs = attrs: attrs // { recurseForDerivations = false; };

  getOutput =
    output: pkg:
    if !pkg ? outputSpecified || !pkg.outputSpecified then pkg.${output} or pkg.out or pkg else pkg;
  getBin = getOutput "bin";
  getLib = getOutput "lib";
  getDev = getOutput "dev";
  getMan = getOutput "man";
  chooseDevOutputs = map getDev;
  showAttrPath = path: if path == [ ] then "<root attribute path>" else lib.concatMapStringsSep "." lib.strings.escapeNixIdentifier path;
}
