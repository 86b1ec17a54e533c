"""Asks this machine what it has, and writes the answer to a file that can be carried out of a site."""

import json
import os
import platform
import tempfile
from dataclasses import asdict
from pathlib import Path

import psutil

from dsdeploy.adapters import accelerators, host
from dsdeploy.core.errors import ProfileNotWritable
from dsdeploy.core.texts import text
from dsdeploy.core.values import Profile


def detect_profile() -> Profile:
    memory = psutil.virtual_memory()
    return Profile(
        hostname=platform.node(),
        kernel=f"{platform.system()} {platform.release()}",
        cpu_model=host.detect_cpu_model(),
        cpu_threads=psutil.cpu_count() or 1,
        cpu_cores=psutil.cpu_count(logical=False),
        numa_nodes=host.detect_numa_nodes(),
        memory_bytes=memory.total,
        memory_available_bytes=memory.available,
        disks=host.detect_disks(),
        container_runtimes=host.detect_container_runtimes(),
        accelerators=accelerators.detect_accelerators(),
    )


def save_profile(profile: Profile, path: Path) -> None:
    """Writes beside `path`, then renames: there is never half a file. Raises ProfileNotWritable."""
    document = {"apiVersion": "dsdeploy/v1", "kind": "Profile", **asdict(profile)}
    beside: str | None = None
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            beside = file.name
            json.dump(document, file, indent=2, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        if beside is not None:
            Path(beside).unlink(missing_ok=True)
        reason = error.strerror or str(error)
        raise ProfileNotWritable(
            text("profile-not-writable", path=path, reason=reason), hint=text("profile-not-writable-hint")
        ) from error
