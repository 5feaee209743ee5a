{ lib }:
let
  inherit (builtins) elemAt foldl' genList length;
in
rec {
  inherit (builtins)
    all
    any
    concatLists
    concatMap
    elem
    elemAt
    filter
    foldl'
    genList
    groupBy
    head
    isList
    length
    map
    partition
    sort
    tail
    ;

  singleton = x: [ x ];
  toList = x: if builtins.isList x then x else [ x ];
  optional = condition: x: if condition then [ x ] else [ ];
  optionals = condition: xs: if condition then xs else [ ];
  foldr =
    f: nul: xs:
    let
      n = length xs;
      go = i: if i == n then nul else f (elemAt xs i) (go (i + 1));
    in
    go 0;
  fold = foldr;
  foldl = f: nul: xs: foldr (x: rest: acc: rest (f acc x)) (acc: acc) xs nul;
  forEach = xs: f: map f xs;
  imap0 = f: xs: genList (i: f i (elemAt xs i)) (length xs);
  imap1 = f: xs: genList (i: f (i + 1) (elemAt xs i)) (length xs);
  flatten = x: if builtins.isList x then builtins.concatMap flatten x else [ x ];
  remove = x: builtins.filter (y: y != x);
  findFirst =
    predicate: fallback: xs:
    let
      found = builtins.filter predicate xs;
    in
    if found == [ ] then fallback else builtins.head found;
  findSingle =
    predicate: fallback: multiple: xs:
    let
      found = builtins.filter predicate xs;
    in
    if found == [ ] then fallback else if length found > 1 then multiple else builtins.head found;
  count = predicate: xs: length (builtins.filter predicate xs);
  range = first: last: if first > last then [ ] else genList (i: first + i) (last - first + 1);
  replicate = n: x: genList (_: x) n;
  reverseList = xs: let n = length xs; in genList (i: elemAt xs (n - i - 1)) n;
  last = xs: if xs == [ ] then throw "lib.last: the list is empty" else elemAt xs (length xs - 1);
  init = xs: if xs == [ ] then throw "lib.init: the list is empty" else take (length xs - 1) xs;
  sublist =
    start: count: xs:
    let
      n = length xs;
    in
    genList (i: elemAt xs (i + start)) (
      if start >= n then 0 else if start + count > n then n - start else count
    );
  take = sublist 0;
  drop = count: xs: sublist count (length xs) xs;
  unique = foldl' (acc: x: if builtins.elem x acc then acc else acc ++ [ x ]) [ ];
  allUnique = xs: length (unique xs) == length xs;
  intersectLists = keep: builtins.filter (x: builtins.elem x keep);
  subtractLists = drop: builtins.filter (x: !(builtins.elem x drop));
  mutuallyExclusive = a: b: intersectLists a b == [ ];
  zipListsWith =
    f: a: b:
    genList (i: f (elemAt a i) (elemAt b i)) (lib.min (length a) (length b));
  zipLists = zipListsWith (fst: snd: { inherit fst snd; });
  crossLists = f: foldl' (fs: args: builtins.concatMap (g: map g args) fs) [ f ];
  sortOn =
    key: xs:
    map (pair: pair.value) (
      builtins.sort (a: b: a.key < b.key) (
        map (value: {
          key = key value;
          inherit value;
        }) xs
      )
    );
  naturalSort = builtins.sort (a: b: builtins.compareVersions a b < 0);
  ifilter0 =
    predicate: xs:
    builtins.concatLists (imap0 (i: x: optional (predicate i x) x) xs);
  compareLists =
    cmp: a: b:
    if a == [ ] then (if b == [ ] then 0 else -1)
    else if b == [ ] then 1
    else
      let
        first = cmp (builtins.head a) (builtins.head b);
      in
      if first != 0 then first else compareLists cmp (builtins.tail a) (builtins.tail b);

}
