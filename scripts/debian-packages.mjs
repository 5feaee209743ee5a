// Debian packages that the lab and the tests need on the operator's machine, and what for.
export const debianPackages = [
  'debootstrap', // builds the machines' base image
  'systemd-container', // systemd-nspawn plays a server
  'nftables', // pairwise partitions between machines
  'iproute2',
  'openssh-client',
  'openssh-server', // SSH tests against a real sshd
  'etcd-server', // integration tests against real members
  'etcd-client',
  'haproxy',
  'nix-bin', // evaluates the Nix tests
  'hcloud-cli', // drives the lab API as a stranger would
  'gcc', // flannel's udp backend is C
  'libc6-dev',
  'curl',
  'procps',
];
