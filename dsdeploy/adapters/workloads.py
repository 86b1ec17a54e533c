"""What the kernel says of one process here: its words, its users, its rights."""

from pathlib import Path

import psutil

from dsdeploy.core.values import Plan, Workload

# include/uapi/linux/capability.h, in the order of their bits
_CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
)  # fmt: skip


def read_process(name: str, pid: int) -> Workload | None:
    """None when it is gone. What this user may not see is unknown or empty; proc(5) shows the rights to everybody."""
    try:
        process = psutil.Process(pid)
        uids = tuple(sorted(set(process.uids()[:2])))
        argv = tuple(process.cmdline())
        status = dict(
            line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
        )
    except (psutil.Error, OSError):
        return None
    try:
        environment = process.environ()
    except psutil.Error:
        environment = {}
    capabilities = capability_names(int(status["CapEff"], 16)) if "CapEff" in status else None
    no_new = status["NoNewPrivs"].strip() == "1" if "NoNewPrivs" in status else None
    return Workload(name, None, argv, environment, uids, capabilities, no_new, None)


def open_files_of(pid: int) -> int | None:
    """How many files it may open, -1 for any number; None where it is gone. proc(5) shows it where prlimit(2) asks for
    a right."""
    try:
        lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
        soft = next(line for line in lines if line.startswith("Max open files")).split()[3]
        return -1 if soft == "unlimited" else int(soft)
    except (OSError, StopIteration, ValueError):
        return None


def capability_names(bits: int) -> tuple[str, ...]:
    return tuple(name for place, name in enumerate(_CAPABILITIES) if bits >> place & 1)


def memory_has_room(plan: Plan) -> bool:
    """For an engine on the processor; whether an accelerator has room for two is not known here."""
    return plan.device == "cpu" and int(psutil.virtual_memory().available) >= plan.memory.needed_bytes
