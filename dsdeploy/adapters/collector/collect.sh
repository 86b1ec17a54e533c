#!/bin/sh
# Prints what this machine has, for `dsdeploy profile --from FILE`. It only reads, needs no privileges, and
# goes to no network. Run it as:  sh collect.sh > collected.txt
LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin:/usr/local/bin:/usr/local/sbin:/opt/rocm/bin:/opt/hyhal/bin:/opt/mxdriver/bin:/usr/local/corex/bin
export LC_ALL PATH
limit=
if command -v timeout >/dev/null 2>&1; then limit='timeout @TIMEOUT_S@'; fi

# One answer: "#name", its lines after "|", "=exit code".
answer() {
  printf '#%s\n' "$1"
  shift
  said=$("$@" 2>/dev/null </dev/null)
  code=$?
  [ -z "$said" ] || printf '%s\n' "$said" | sed 's/^/|/'
  printf '=%s\n' "$code"
}
ask() {
  if command -v "$2" >/dev/null 2>&1; then
    name=$1
    shift
    answer "$name" $limit "$@"
  fi
}
pci() {
  for place in /sys/bus/pci/devices/*; do
    [ -r "$place/class" ] || continue
    read -r vendor < "$place/vendor"
    read -r class < "$place/class"
    echo "$vendor $class"
  done
}
cgroup() {
  for name in memory.max memory/memory.limit_in_bytes cpu.max cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us; do
    if [ -r "/sys/fs/cgroup/$name" ]; then echo "$name $(cat "/sys/fs/cgroup/$name")"; fi
  done
}
fabric_manager() {
  for place in /proc/[0-9]*/comm; do
    read -r name < "$place" || continue
    case $name in nv-fabricmanage*) echo running; return 0 ;; esac
  done
  echo absent
}

echo '#dsdeploy-collected 1'
answer clock date +%s
answer hostname uname -n
answer kernel uname -sr
answer architecture uname -m
answer distribution cat /etc/os-release
answer threads grep -c '^processor' /proc/cpuinfo
answer cpu grep -m 1 'model name' /proc/cpuinfo
ask cores lscpu -p=CPU,CORE,SOCKET,NODE
answer memory cat /proc/meminfo
answer disks df -PkT
answer shm df -Pk /dev/shm
answer memlock sh -c 'ulimit -l'
answer cgroup cgroup
answer pci pci
answer rdma ls /sys/class/infiniband
answer fabric-manager fabric_manager
ask docker docker version --format '{{.Server.Version}}'
ask podman podman version --format '{{.Client.Version}}'
@COMMANDS@
echo '#end'
