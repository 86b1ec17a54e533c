"""Asks this machine what it has, and keeps the answer in a file that can be carried out of a site."""

import json
import platform
from pathlib import Path

import psutil

from dsdeploy.adapters import accelerators, host
from dsdeploy.adapters.files import write_whole
from dsdeploy.core.documents import from_document, to_document
from dsdeploy.core.errors import ProfileNotWritable, ProfileUnreadable
from dsdeploy.core.texts import text
from dsdeploy.core.values import Profile


def detect_profile() -> Profile:
    memory_bytes, memory_available_bytes = host.detect_memory()
    return Profile(
        hostname=platform.node(),
        kernel=f"{platform.system()} {platform.release()}",
        cpu_model=host.detect_cpu_model(),
        cpu_threads=psutil.cpu_count() or 1,
        cpu_cores=psutil.cpu_count(logical=False),
        numa_nodes=host.detect_numa_nodes(),
        memory_bytes=memory_bytes,
        memory_available_bytes=memory_available_bytes,
        disks=host.detect_disks(),
        container_runtimes=host.detect_container_runtimes(),
        accelerators=accelerators.detect_accelerators(),
    )


def save_profile(profile: Profile, path: Path) -> None:
    """Writes the whole file or none. Raises ProfileNotWritable."""
    try:
        write_whole(path, json.dumps(to_document(profile), indent=2, ensure_ascii=False))
    except OSError as error:
        raise ProfileNotWritable(
            text("not-writable", path=path, reason=error.strerror or error), hint=text("not-writable-hint")
        ) from error


def load_profile(path: Path) -> Profile:
    """The profile in a file that `save_profile` wrote. Raises ProfileUnreadable."""
    try:
        return from_document(Profile, json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        reason = error.strerror or str(error)
    except ValueError as error:
        reason = str(error)
    raise ProfileUnreadable(text("unreadable", path=path, reason=reason), hint=text("profile-unreadable-hint"))
