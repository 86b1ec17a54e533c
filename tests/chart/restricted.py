"""Pod Security "restricted" over a pod's spec, restated from its standard.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip
SYSCTLS = {
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes",
}  # fmt: skip


def breaches(spec: dict) -> list[str]:
    """What the level does not admit, in words; empty for an admitted pod."""
    found = [f"{one} is set" for one in ("hostNetwork", "hostPID", "hostIPC") if spec.get(one)]
    for volume in spec.get("volumes", ()):
        found += [f"volume {volume['name']} is {kind}" for kind in set(volume) - {"name"} if kind not in VOLUMES]
    pod = spec.get("securityContext", {})
    found += [f"sysctl {one['name']}" for one in pod.get("sysctls", ()) if one["name"] not in SYSCTLS]
    if pod.get("runAsUser") == 0:
        found.append("the pod runs as root")
    containers = [*spec.get("initContainers", ()), *spec["containers"], *spec.get("ephemeralContainers", ())]
    for one in containers:
        own = one.get("securityContext", {})
        tell = lambda what, name=one["name"]: found.append(f"{name}: {what}")  # noqa: E731
        if own.get("privileged"):
            tell("privileged")
        if own.get("allowPrivilegeEscalation") is not False:
            tell("allowPrivilegeEscalation is not false")
        if "ALL" not in (own.get("capabilities") or {}).get("drop", ()):
            tell("capabilities are not dropped")
        if set((own.get("capabilities") or {}).get("add", ())) - {"NET_BIND_SERVICE"}:
            tell("capabilities are added")
        if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
            tell("runAsNonRoot is not true")
        if own.get("runAsUser") == 0:
            tell("runs as root")
        seccomp = (own.get("seccompProfile", pod.get("seccompProfile")) or {}).get("type")
        if seccomp not in ("RuntimeDefault", "Localhost"):
            tell("no seccomp profile")
        if own.get("procMount", "Default") != "Default":
            tell("procMount")
        if any(port.get("hostPort") for port in one.get("ports", ())):
            tell("a host port")
        if {**pod.get("windowsOptions", {}), **own.get("windowsOptions", {})}.get("hostProcess"):
            tell("hostProcess")
        apparmor = own.get("appArmorProfile", pod.get("appArmorProfile", {})).get("type", "RuntimeDefault")
        if apparmor not in ("RuntimeDefault", "Localhost"):
            tell("AppArmor is off")
        selinux = {**pod.get("seLinuxOptions", {}), **own.get("seLinuxOptions", {})}
        if selinux.get("user") or selinux.get("role") or selinux.get("type", "container_t") not in (
            "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t",
        ):  # fmt: skip
            tell("SELinux options")
    return found
