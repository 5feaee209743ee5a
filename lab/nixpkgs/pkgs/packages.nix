# The packages: attribute name as in nixpkgs, programs as in Debian. Versions are those of nixpkgs 25.05 where a
# configuration may ask for them; the program behind the link has its own.
{
  bash = { programs = [ "bash" "sh" ]; version = "5.2p37"; };
  coreutils = {
    version = "9.7";
    mainProgram = "ls";
    programs = [
      "[" "arch" "b2sum" "base32" "base64" "basename" "basenc" "cat" "chgrp" "chmod" "chown" "chroot" "cksum" "comm"
      "cp" "csplit" "cut" "date" "dd" "df" "dir" "dircolors" "dirname" "du" "echo" "env" "expand" "expr" "factor" "false"
      "fmt" "fold" "groups" "head" "hostid" "id" "install" "join" "kill" "link" "ln" "logname" "ls" "md5sum" "mkdir"
      "mkfifo" "mknod" "mktemp" "mv" "nice" "nl" "nohup" "nproc" "numfmt" "od" "paste" "pathchk" "pinky" "pr" "printenv"
      "printf" "ptx" "pwd" "readlink" "realpath" "rm" "rmdir" "runcon" "seq" "sha1sum" "sha224sum" "sha256sum"
      "sha384sum" "sha512sum" "shred" "shuf" "sleep" "sort" "split" "stat" "stdbuf" "stty" "sum" "sync" "tac" "tail"
      "tee" "test" "timeout" "touch" "tr" "true" "truncate" "tsort" "tty" "uname" "unexpand" "uniq" "unlink" "users"
      "vdir" "wc" "who" "whoami" "yes"
    ];
  };
  findutils = { programs = [ "find" "xargs" ]; };
  gnugrep = { programs = [ "grep" "egrep" "fgrep" ]; };
  gnused = { programs = [ "sed" ]; };
  gawk = { programs = [ "awk" "gawk=gawk|awk" ]; };
  gnutar = { programs = [ "tar" ]; };
  gzip = { programs = [ "gzip" "gunzip" "zcat" ]; };
  xz = { programs = [ "xz" "unxz" "xzcat" ]; };
  zstd = { programs = [ "zstd" "unzstd" ]; };
  bzip2 = { programs = [ "bzip2" "bunzip2" ]; };
  diffutils = { programs = [ "diff" "cmp" "diff3" "sdiff" ]; };
  less = { };
  which = { };
  hostname = { programs = [ "hostname" ]; };
  procps = { mainProgram = "ps"; programs = [ "ps" "free" "kill" "pgrep" "pkill" "pmap" "sysctl" "top" "uptime" "vmstat" "w" "watch" ]; };
  psmisc = { programs = [ "killall" "fuser" "pstree" ]; };
  util-linux = {
    mainProgram = "mount";
    programs = [
      "mount" "umount" "blkid" "findmnt" "flock" "fsck" "getopt" "ionice" "kill" "logger" "losetup" "lsblk" "mkswap"
      "mountpoint" "nsenter" "prlimit" "rev" "runuser" "script" "setpriv" "setsid" "su" "swapoff" "swapon" "taskset"
      "unshare" "uuidgen" "wall"
    ];
  };
  shadow = { mainProgram = "useradd"; programs = [ "useradd" "usermod" "userdel" "groupadd" "groupdel" "passwd" "nologin" "chage" ]; };
  systemd = {
    version = "257.5";
    mainProgram = "systemctl";
    programs = [
      "systemctl" "journalctl" "systemd-run" "systemd-tmpfiles" "systemd-creds" "systemd-analyze" "systemd-cat"
      "systemd-cgls" "systemd-cgtop" "systemd-delta" "systemd-detect-virt" "systemd-escape" "systemd-id128"
      "systemd-inhibit" "systemd-machine-id-setup" "systemd-mount" "systemd-notify" "systemd-nspawn" "systemd-path"
      "systemd-socket-activate" "systemd-sysusers" "hostnamectl" "loginctl" "networkctl" "timedatectl" "busctl"
      "reboot" "poweroff" "shutdown" "halt"
    ];
  };
  dbus = { programs = [ "dbus-daemon" "dbus-send" ]; };
  nix = { version = "2.28.3"; programs = [ "nix" "nix-build" "nix-channel" "nix-collect-garbage" "nix-copy-closure" "nix-daemon" "nix-env" "nix-hash" "nix-instantiate" "nix-prefetch-url" "nix-shell" "nix-store" ]; };
  nixos-rebuild = { programs = [ "nixos-rebuild" ]; };

  iproute2 = { mainProgram = "ip"; programs = [ "ip" "ss" "bridge" "tc" ]; };
  iputils = { mainProgram = "ping"; programs = [ "ping" "arping" "tracepath" ]; };
  iptables = {
    version = "1.8.11";
    programs = [
      "iptables" "iptables-save" "iptables-restore" "ip6tables" "ip6tables-save" "ip6tables-restore"
      "iptables-nft" "iptables-legacy"
    ];
  };
  nftables = { mainProgram = "nft"; programs = [ "nft" ]; };
  conntrack-tools = { programs = [ "conntrack" ]; };
  ipset = { };
  wireguard-tools = { mainProgram = "wg"; programs = [ "wg" "wg-quick" ]; };
  ethtool = { };
  tcpdump = { };
  dnsutils = { programs = [ "dig" "host" "nslookup" ]; };
  netcat = { programs = [ "nc" ]; };
  netcat-openbsd = { programs = [ "nc" ]; };
  socat = { };
  curl = { };
  wget = { };
  cacert = {
    programs = [ ];
    mainProgram = "";
    extra = ''mkdir -p $out/etc/ssl/certs; ln -s /etc/ssl/certs/ca-certificates.crt $out/etc/ssl/certs/ca-bundle.crt'';
  };
  tzdata = {
    programs = [ ];
    mainProgram = "";
    extra = ''mkdir -p $out/share; ln -s /usr/share/zoneinfo $out/share/zoneinfo'';
  };
  openssh = { mainProgram = "ssh"; programs = [ "ssh" "sshd" "scp" "sftp" "ssh-add" "ssh-agent" "ssh-keygen" "ssh-keyscan" "ssh-copy-id" ]; };
  openssl = { };
  age = { programs = [ "age" "age-keygen" ]; };
  gnupg = { programs = [ "gpg" "gpg-agent" "gpgconf" ]; };
  sudo = { };
  rsync = { };
  git = { };
  gitMinimal = { pname = "git-minimal"; programs = [ "git" ]; mainProgram = "git"; };
  jq = { };
  yq = { };
  htop = { };
  lsof = { };
  strace = { };
  tmux = { };
  vim = { };
  nano = { };
  python3 = { mainProgram = "python3"; programs = [ "python3" ]; };
  perl = { };
  nodejs = { version = "22.14.0"; mainProgram = "node"; programs = [ "node" "npm" "npx" ]; };
  nodejs_20 = { pname = "nodejs"; version = "20.19.0"; mainProgram = "node"; programs = [ "node" "npm" "npx" ]; };
  nodejs_22 = { pname = "nodejs"; version = "22.14.0"; mainProgram = "node"; programs = [ "node" "npm" "npx" ]; };
  nodejs_24 = { pname = "nodejs"; version = "24.0.1"; mainProgram = "node"; programs = [ "node" "npm" "npx" ]; };

  etcd = { version = "3.5.21"; mainProgram = "etcd"; programs = [ "etcd" "etcdctl" "etcdutl" ]; };
  etcd_3_5 = { pname = "etcd"; version = "3.5.21"; mainProgram = "etcd"; programs = [ "etcd" "etcdctl" "etcdutl" ]; };
  flannel = { version = "0.26.7"; programs = [ "flannel=flannel|flanneld" ]; };
  confd = { version = "0.16.0"; };
  haproxy = { version = "3.1.7"; };
  nginx = {
    version = "1.28.0";
    extra = ''mkdir -p $out/conf; for f in mime.types fastcgi.conf fastcgi_params uwsgi_params; do ln -s "/etc/nginx/$f" "$out/conf/$f"; done'';
  };
  nginxStable = { pname = "nginx"; version = "1.28.0"; programs = [ "nginx" ]; extra = ''mkdir -p $out/conf; for f in mime.types fastcgi.conf fastcgi_params uwsgi_params; do ln -s "/etc/nginx/$f" "$out/conf/$f"; done''; };
  mailcap = { programs = [ ]; mainProgram = ""; extra = ''mkdir -p $out/etc; ln -s /etc/nginx/mime.types $out/etc/mime.types; mkdir -p $out/etc/nginx; ln -s /etc/nginx/mime.types $out/etc/nginx/mime.types''; };
  docker-distribution = { pname = "distribution"; version = "3.0.0"; mainProgram = "registry"; programs = [ "registry=docker-registry|registry" ]; };
  podman = { version = "5.4.2"; };
  podman-compose = { };
  podman-tui = { };
  skopeo = { };
  runc = { };
  crun = { };
  conmon = { };
  fuse-overlayfs = { };
  netavark = { };
  aardvark-dns = { };
  slirp4netns = { };
  docker = { };
  mariadb = { programs = [ "mysqld=mariadbd|mysqld" "mysql=mariadb|mysql" "mariadb" "mariadbd" "mysqladmin=mariadb-admin|mysqladmin" "mariadb-backup" ]; };
  mongodb-ce = { programs = [ "mongod" "mongos" ]; };
  mongosh = { };
  redis = { programs = [ "redis-server" "redis-cli" ]; };
  postgresql = { programs = [ "postgres" "psql" "pg_dump" ]; };
}
