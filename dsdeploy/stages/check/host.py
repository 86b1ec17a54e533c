"""Does this machine carry the engine as planned?"""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil

from dsdeploy.adapters import clock
from dsdeploy.adapters.uncached import read_uncached
from dsdeploy.adapters.workloads import open_files_of
from dsdeploy.core.health import judge_profile
from dsdeploy.core.machines import UNLIMITED_BYTES, Limits
from dsdeploy.core.sizes import size_words
from dsdeploy.core.texts import text
from dsdeploy.core.values import Finding
from dsdeploy.stages.check.subject import Outcome, Subject, failed, passed, skipped, warned

_DEVICE_FINDINGS = ("accelerator-tool", "accelerator-health", "accelerator-ecc", "accelerator-repair")
_DRIVER_FINDINGS = ("accelerator-driver",)
_CLOCK_FINDINGS = ("accelerator-throttling", "accelerator-persistence")
_LINK_FINDINGS = ("accelerator-links", "accelerator-peers", "fabric-manager")
_LIMIT_FINDINGS = ("shared-memory", "cgroup-memory", "cgroup-cpus", "memlock")
_SLOWEST_BYTES_PER_S = 100_000_000  # what the time to wait for an engine's start allows for reading its weights
_READ_BYTES = 128 * 2**20
_FREE_BYTES = 2**30
_FILES_PER_USER, _FILES_OF_ENGINE = 2, 256
_PROC = Path("/proc")
_BACKLOG = 4096  # the kernel's own default of net.core.somaxconn since Linux 5.4
_TASKS = 16384  # processes and threads: what the Compose target lets an accelerator's engine have
_ASK_LIMITS = """
import resource, shutil
print(shutil.disk_usage("/dev/shm").total, resource.getrlimit(resource.RLIMIT_MEMLOCK)[0])
"""


def devices_healthy(subject: Subject) -> Outcome:
    return _judge_devices(subject, lambda one: one.id in _DEVICE_FINDINGS)


def driver_fits(subject: Subject) -> Outcome:
    """Too old for another engine than the planned one is no fault of this release."""
    engine = subject.plan.engine if subject.plan else ""

    def concerns(one: Finding) -> bool:
        named = str(one.message.values.get("engine", engine))
        return one.id in _DRIVER_FINDINGS and named.lower().startswith(engine)

    return _judge_devices(subject, concerns)


def clocks_free(subject: Subject) -> Outcome:
    return _judge_devices(subject, lambda one: one.id in _CLOCK_FINDINGS)


def links_whole(subject: Subject) -> Outcome:
    return _judge_devices(subject, lambda one: one.id in _LINK_FINDINGS)


def limits_wide(subject: Subject) -> Outcome:
    """Shared memory, locked memory, control groups: a process has this machine's, a container its own."""
    machine = subject.machine
    if subject.release.target != "process":
        inside = _limits_inside(subject) if subject.release.target == "compose" else None
        if inside is None:
            return skipped(text("check-limits-elsewhere"))
        machine = judge_profile(replace(machine, limits=inside))
    return _judge([one for one in machine.findings if one.id in _LIMIT_FINDINGS])


def memory_as_planned(subject: Subject) -> Outcome:
    """Resident memory, with mapped weights, against the whole budget of the plan."""
    engine = subject.engine_process
    if engine is None or subject.plan is None or subject.plan.device != "cpu":
        return skipped(text("check-engine-unseen"))
    try:
        used, planned = int(engine.memory_info().rss), subject.plan.memory.needed_bytes
    except psutil.Error:
        return skipped(text("check-engine-unseen"))
    measured, limit = size_words(used), f"≤ {size_words(planned)}"
    if used > planned:
        return failed(text("check-memory-over"), text("check-memory-over-hint"), measured=measured, limit=limit)
    return passed(text("check-memory"), measured=measured, limit=limit)


def not_swapped(subject: Subject) -> Outcome:
    engine = subject.engine_process
    try:
        swapped = None if engine is None else int(engine.memory_full_info().swap)
    except psutil.Error:
        swapped = None
    if swapped is None:
        return skipped(text("check-engine-unseen"))
    measured, limit = size_words(swapped), size_words(0)
    if swapped:
        return warned(text("check-swapped"), text("check-swapped-hint"), measured=measured, limit=limit)
    return passed(text("check-not-swapped"), measured=measured, limit=limit)


def disk_fast(subject: Subject) -> Outcome:
    """Reads the largest file of the weights past the page cache."""
    weights = subject.release.weights
    largest = max(weights.files, key=lambda one: one.size_bytes)
    began = time.perf_counter()
    try:
        read_bytes = read_uncached(Path(weights.directory) / largest.name, _READ_BYTES)
    except OSError as error:
        return skipped(text("check-disk-unread", reason=error))
    rate = read_bytes / max(time.perf_counter() - began, 1e-6)
    measured, limit = f"{rate / 1e6:,.0f} MB/s", f"≥ {_SLOWEST_BYTES_PER_S / 1e6:,.0f} MB/s"
    if rate < _SLOWEST_BYTES_PER_S:
        return warned(text("check-disk-slow"), text("check-disk-slow-hint"), measured=measured, limit=limit)
    return passed(text("check-disk-fast"), measured=measured, limit=limit)


def disk_free(subject: Subject) -> Outcome:
    """Where logs and states are written."""
    free = psutil.disk_usage(subject.release.folder).free
    measured, limit = size_words(free), f"≥ {size_words(_FREE_BYTES)}"
    if free < _FREE_BYTES:
        return failed(text("check-disk-full"), text("check-disk-full-hint"), measured=measured, limit=limit)
    return passed(text("check-disk-free"), measured=measured, limit=limit)


def clock_kept(subject: Subject) -> Outcome:
    """Whether the kernel counts its clock as kept by a time service; logs and certificates hang on it."""
    kept = clock.is_synchronised()
    if kept is None:
        return skipped(text("check-clock-unknown"))
    if kept:
        return passed(text("check-clock"), measured="STA_UNSYNC=0", limit="STA_UNSYNC=0")
    return warned(
        text("check-clock-free"), text("check-clock-free-hint"), measured="STA_UNSYNC=1", limit="STA_UNSYNC=0"
    )


def random_ready(subject: Subject) -> Outcome:
    """getrandom(2) answers without waiting once the kernel's generator is seeded: keys and TLS need that."""
    try:
        os.getrandom(32, os.GRND_NONBLOCK)
    except BlockingIOError:
        return failed(text("check-random-dry"), text("check-random-dry-hint"), measured="0", limit="32 bytes")
    return passed(text("check-random"), measured="32 bytes", limit="32 bytes")


def files_enough(subject: Subject) -> Outcome:
    """A user's stream holds a socket, and another one where a gateway passes it on."""
    engine = subject.engine_process
    soft = None if engine is None else open_files_of(engine.pid)
    if soft is None:
        return skipped(text("check-engine-unseen"))
    needed = _FILES_OF_ENGINE + _FILES_PER_USER * subject.release.users
    allowed = "unlimited" if soft < 0 else f"{soft:,}"
    if 0 <= soft < needed:
        hint = text("check-files-few-hint")
        return warned(text("check-files-few"), hint, measured=allowed, limit=f"≥ {needed:,}")
    return passed(text("check-files-enough"), measured=allowed, limit=f"≥ {needed:,}")


def _limits_inside(subject: Subject) -> Limits | None:
    """What the engine's own container may use; None where nothing can be asked in it."""
    said = (subject.target.run_inside(subject.release, _ASK_LIMITS) or "").split()
    if len(said) != 2:
        return None
    shm, memlock = (int(one) for one in said)
    return Limits(shm, memlock if memlock >= 0 else UNLIMITED_BYTES, None, None)


def kernel_wide(subject: Subject) -> Outcome:
    """Limits of the whole machine, proc_sys_fs(5), proc_sys_kernel(5) and listen(2), against what all users need."""
    needed = _FILES_OF_ENGINE + _FILES_PER_USER * subject.release.users
    try:
        opened, _, most = ((_PROC / "sys/fs/file-nr").read_text()).split()
        room = {
            "fs.file-max": (int(most) - int(opened), needed),
            "net.core.somaxconn": (_number("net/core/somaxconn"), min(subject.release.users, _BACKLOG)),
            "kernel.pid_max": (_number("kernel/pid_max"), _TASKS),
            "kernel.threads-max": (_number("kernel/threads-max"), _TASKS),
        }
    except (OSError, ValueError) as error:
        return skipped(text("check-kernel-untold", reason=error))
    short = [f"{name} {found:,} < {wanted:,}" for name, (found, wanted) in room.items() if found < wanted]
    measured, limit = f"{len(room) - len(short)} / {len(room)}", f"{len(room)} / {len(room)}"
    if short:
        message, hint = text("check-kernel-narrow", limits=", ".join(short)), text("check-kernel-narrow-hint")
        return warned(message, hint, measured=measured, limit=limit)
    return passed(text("check-kernel-wide"), measured=measured, limit=limit)


def _number(name: str) -> int:
    return int((_PROC / "sys" / name).read_text())


def _judge_devices(subject: Subject, of_interest: Callable[[Finding], bool]) -> Outcome:
    if subject.plan is None or subject.plan.device == "cpu":
        return skipped(text("check-no-accelerator"))
    if not subject.machine.accelerators:
        return failed(
            text("check-accelerators-gone"), text("check-accelerators-gone-hint"), measured="0",
            limit=str(subject.plan.deployment.devices_per_node),
        )  # fmt: skip
    return _judge([one for one in subject.machine.findings if of_interest(one)])


def _judge(found: list[Finding]) -> Outcome:
    """The worst of what was found on this machine stands for all of it."""
    if not found:
        return passed(text("check-machine-well"), measured="0", limit="0")
    worst = next((one for one in found if one.status == "fail"), found[0])
    judge = failed if worst.status == "fail" else warned
    return judge(
        worst.message, worst.hint or text("check-machine-hint"), measured=worst.measured or str(len(found)),
        limit=worst.limit or "0",
    )  # fmt: skip
