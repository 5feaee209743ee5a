# The text of nginx.conf.
{ config, lib, pkgs }:
let
  inherit (lib) concatMapStrings concatMapStringsSep optionalString;
  cfg = config.services.nginx;

  certNameOf = name: vhost: if vhost.useACMEHost != null then vhost.useACMEHost else serverNameOf name vhost;
  serverNameOf = name: vhost: if vhost.serverName != null then vhost.serverName else name;
  usesAcme = vhost: vhost.enableACME || vhost.useACMEHost != null;
  hasTls = vhost: vhost.onlySSL || vhost.addSSL || vhost.forceSSL;

  certificate =
    name: vhost:
    if usesAcme vhost then
      let
        folder = config.security.acme.certs.${certNameOf name vhost}.directory;
      in
      { cert = "${folder}/fullchain.pem"; key = "${folder}/key.pem"; }
    else { cert = vhost.sslCertificate; key = vhost.sslCertificateKey; };

  listens =
    vhost:
    let
      addresses = if vhost.listenAddresses != [ ] then vhost.listenAddresses else cfg.defaultListenAddresses;
      on = ssl: port: map (addr: { inherit addr port ssl; proxyProtocol = false; extraParameters = [ ]; }) addresses;
    in
    if vhost.listen != [ ] then vhost.listen
    else
      lib.optionals (hasTls vhost || vhost.rejectSSL) (on true cfg.defaultSSLListenPort)
      ++ lib.optionals (!vhost.onlySSL) (on false cfg.defaultHTTPListenPort);

  listenLine =
    vhost: l:
    "listen ${l.addr}${optionalString (l.port != null) ":${toString l.port}"}"
    + optionalString l.ssl " ssl"
    + optionalString vhost.default " default_server"
    + optionalString vhost.reuseport " reuseport"
    + optionalString l.proxyProtocol " proxy_protocol"
    + concatMapStrings (p: " ${p}") l.extraParameters
    + ";\n";

  proxyHeaders = pkgs.writeText "nginx-recommended-proxy-headers.conf" ''
    proxy_set_header Host $host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $host;
    proxy_set_header X-Forwarded-Server $hostname;
  '';

  authLines =
    v:
    let
      file =
        if v.basicAuthFile != null then v.basicAuthFile
        else pkgs.writeText "htpasswd" (lib.concatStrings (lib.mapAttrsToList (user: password: "${user}:{PLAIN}${password}\n") v.basicAuth));
    in
    optionalString (v.basicAuthFile != null || v.basicAuth != { }) "auth_basic secured;\nauth_basic_user_file ${file};\n";

  locationText =
    path: l:
    let
      wantsHeaders = l.proxyPass != null && (if l.recommendedProxySettings == null then cfg.recommendedProxySettings else l.recommendedProxySettings);
    in
    ''
      location ${path} {
        ${optionalString (l.proxyPass != null) "proxy_pass ${l.proxyPass};"}
        ${optionalString l.proxyWebsockets ''
          proxy_http_version 1.1;
          proxy_set_header Upgrade $http_upgrade;
          proxy_set_header Connection $connection_upgrade;
        ''}
        ${optionalString (l.uwsgiPass != null) "uwsgi_pass ${l.uwsgiPass};"}
        ${lib.concatStrings (lib.mapAttrsToList (k: v: "fastcgi_param ${k} \"${v}\";\n") l.fastcgiParams)}
        ${optionalString (l.index != null) "index ${l.index};"}
        ${optionalString (l.tryFiles != null) "try_files ${l.tryFiles};"}
        ${optionalString (l.root != null) "root ${l.root};"}
        ${optionalString (l.alias != null) "alias ${l.alias};"}
        ${optionalString (l.return != null) "return ${toString l.return};"}
        ${l.extraConfig}
        ${optionalString wantsHeaders "include ${proxyHeaders};"}
        ${authLines l}
      }
    '';

  locations =
    vhost:
    lib.concatStrings (
      map ({ name, value }: locationText name value) (
        lib.sort (a: b: a.value.priority < b.value.priority) (lib.attrsToList vhost.locations)
      )
    );

  acmeLocation = vhost: optionalString (usesAcme vhost) ''
    location ^~ /.well-known/acme-challenge/ {
      ${optionalString (vhost.acmeRoot != null) "root ${vhost.acmeRoot};"}
      auth_basic off;
    }
  '';

  serverText =
    name: vhost:
    let
      names = lib.concatStringsSep " " ([ (serverNameOf name vhost) ] ++ vhost.serverAliases);
      cert = certificate name vhost;
      all = listens vhost;
      own = if vhost.forceSSL then lib.filter (l: l.ssl) all else all;
    in
    optionalString vhost.forceSSL ''
      server {
        ${concatMapStrings (listenLine vhost) (lib.filter (l: !l.ssl) all)}
        server_name ${names};
        location / { return ${toString vhost.redirectCode} https://$host$request_uri; }
        ${acmeLocation vhost}
      }
    ''
    + ''
      server {
        ${concatMapStrings (listenLine vhost) own}
        server_name ${names};
        ${optionalString (hasTls vhost && vhost.http2) "http2 on;"}
        ${acmeLocation vhost}
        ${cfg.commonServerConfig}
        ${optionalString (vhost.root != null) "root ${vhost.root};"}
        ${optionalString (vhost.globalRedirect != null) ''
          location / { return ${toString vhost.redirectCode} http${optionalString (hasTls vhost) "s"}://${vhost.globalRedirect}$request_uri; }
        ''}
        ${optionalString (hasTls vhost) ''
          ssl_certificate ${cert.cert};
          ssl_certificate_key ${cert.key};
        ''}
        ${optionalString (hasTls vhost && vhost.sslTrustedCertificate != null) "ssl_trusted_certificate ${vhost.sslTrustedCertificate};"}
        ${optionalString vhost.rejectSSL "ssl_reject_handshake on;"}
        ${authLines vhost}
        ${locations vhost}
        ${vhost.extraConfig}
      }
    '';

  parameter = key: v: if builtins.isBool v then optionalString v " ${key}" else " ${key}=${toString v}";
  upstreamText = name: u: ''
    upstream ${name} {
      ${lib.concatStrings (lib.mapAttrsToList (address: server: "server ${address}${lib.concatStrings (lib.mapAttrsToList parameter server)};\n") u.servers)}
      ${u.extraConfig}
    }
  '';

  size = name: v: optionalString (v != null) "${name} ${toString v};";
  # nixpkgs builds nginx with these paths; Debian's would write below /var/lib, which the unit protects.
  temporary = concatMapStrings (kind: "${kind}_temp_path /tmp/nginx_${kind};\n") [ "client_body" "proxy" "fastcgi" "uwsgi" "scgi" ];
  http = ''
    ${temporary}
    include ${cfg.package}/conf/mime.types;
    types_hash_max_size 4096;
    default_type application/octet-stream;
    access_log /var/log/nginx/access.log;
    ${optionalString (cfg.resolver.addresses != [ ]) "resolver ${toString cfg.resolver.addresses}${optionalString (cfg.resolver.valid != "") " valid=${cfg.resolver.valid}"}${optionalString (!cfg.resolver.ipv6) " ipv6=off"};"}
    ${lib.concatStrings (lib.mapAttrsToList upstreamText cfg.upstreams)}
    ${optionalString cfg.recommendedOptimisation ''
      sendfile on;
      tcp_nopush on;
      tcp_nodelay on;
      keepalive_timeout 65;
    ''}
    ssl_protocols ${cfg.sslProtocols};
    ${size "ssl_ciphers" cfg.sslCiphers}
    ${size "ssl_dhparam" cfg.sslDhparam}
    ${optionalString cfg.recommendedTlsSettings ''
      ssl_session_timeout 1d;
      ssl_session_cache shared:SSL:10m;
      ssl_session_tickets off;
      ssl_prefer_server_ciphers off;
    ''}
    ${optionalString cfg.recommendedGzipSettings ''
      gzip on;
      gzip_static on;
      gzip_vary on;
      gzip_comp_level 5;
      gzip_min_length 256;
      gzip_proxied expired no-cache no-store private auth;
      gzip_types application/json application/javascript application/xml image/svg+xml text/css text/javascript text/plain text/xml;
    ''}
    ${optionalString cfg.recommendedProxySettings ''
      proxy_redirect off;
      proxy_connect_timeout ${cfg.proxyTimeout};
      proxy_send_timeout ${cfg.proxyTimeout};
      proxy_read_timeout ${cfg.proxyTimeout};
      proxy_http_version 1.1;
      proxy_set_header "Connection" "";
      include ${proxyHeaders};
    ''}
    ${size "map_hash_bucket_size" cfg.mapHashBucketSize}
    ${size "map_hash_max_size" cfg.mapHashMaxSize}
    ${size "server_names_hash_bucket_size" cfg.serverNamesHashBucketSize}
    ${size "server_names_hash_max_size" cfg.serverNamesHashMaxSize}
    map $http_upgrade $connection_upgrade {
      default upgrade;
      "" close;
    }
    client_max_body_size ${cfg.clientMaxBodySize};
    server_tokens ${if cfg.serverTokens then "on" else "off"};
    ${cfg.commonHttpConfig}
    ${optionalString cfg.statusPage ''
      server {
        listen ${toString cfg.defaultHTTPListenPort};
        server_name localhost;
        location /nginx_status {
          stub_status on;
          access_log off;
          allow 127.0.0.1;
          deny all;
        }
      }
    ''}
    ${lib.concatStrings (lib.mapAttrsToList serverText cfg.virtualHosts)}
    ${cfg.appendHttpConfig}
  '';
in
{
  acmeVhosts = lib.attrsToList (lib.filterAttrs (_: v: v.enableACME) cfg.virtualHosts);
  acmeCert = { name, value }: { ${certNameOf name value} = { group = lib.mkDefault cfg.group; webroot = lib.mkDefault value.acmeRoot; extraDomainNames = value.serverAliases; }; };

  configFile = pkgs.writeText "nginx.conf" ''
    pid /run/nginx/nginx.pid;
    error_log ${cfg.logError};
    daemon off;
    ${cfg.config}
    ${optionalString (cfg.eventsConfig != "" || cfg.config == "") ''
      events {
        ${cfg.eventsConfig}
      }
    ''}
    ${optionalString (cfg.config == "") ''
      http {
        ${if cfg.httpConfig == "" then http else cfg.httpConfig}
      }
    ''}
    ${optionalString (cfg.streamConfig != "") ''
      stream {
        ${cfg.streamConfig}
      }
    ''}
    ${cfg.appendConfig}
  '';
}
