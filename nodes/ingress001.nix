{
  # The mesh serves hello at 127.0.0.1:11211 of every node that subscribes to `frontends`.
  infrastructure.ingress.hosts."hello.example.com" = {
    port = 11211;
    default = true;
  };
}
