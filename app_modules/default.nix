# Every app that a node may enable.
{
  imports = [
    ./hello
  ];
}
