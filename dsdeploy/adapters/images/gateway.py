"""The image of the gateway: a scratch root that holds this machine's HAProxy, its libraries, and nothing else."""

import platform
import re
import shutil
import subprocess
from pathlib import Path

from dsdeploy.adapters.images import rootfs
from dsdeploy.adapters.images.archive import ImageFile, ImageSpec
from dsdeploy.adapters.images.llamacpp import USER, USER_FILES
from dsdeploy.core.errors import RuntimeMissing
from dsdeploy.core.texts import text

GATEWAY_NAME = "dsdeploy/gateway"
_CONFIG = "/etc/gateway/config/haproxy.cfg"
_BINARY = "/usr/sbin/haproxy"
_OLDEST = (2, 6)  # the first with filters in Lua that are complete, and Debian 12's


def gateway_image() -> ImageSpec:
    """Raises RuntimeMissing where this machine has no HAProxy, or one that is too old or without Lua."""
    found = shutil.which("haproxy", path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/opt/bin")
    if found is None:
        raise RuntimeMissing(text("haproxy-missing"), hint=text("haproxy-missing-hint"))
    binary = Path(found).resolve()
    run = subprocess.run([binary, "-vv"], capture_output=True, text=True, check=False)
    version = re.search(r"version (\d+)\.(\d+)([^\s-]*)", run.stdout)
    if version is None or (int(version[1]), int(version[2])) < _OLDEST or "+LUA" not in run.stdout:
        message = text("haproxy-unfit", path=binary, version=version[0] if version else "?")
        raise RuntimeMissing(message, hint=text("haproxy-missing-hint"))
    words = f"{version[1]}.{version[2]}{version[3]}"
    files = (ImageFile(_BINARY, binary, executable=True), *USER_FILES)
    return ImageSpec(
        name=GATEWAY_NAME,
        version=words,
        files=(*files, *rootfs.library_files((binary,))),
        entrypoint=(_BINARY, "-W", "-db", "-f", _CONFIG),
        environment=("PATH=/usr/sbin", f"LD_LIBRARY_PATH={rootfs.LIBRARIES}", "HOME=/tmp"),
        user=USER,
        labels={
            "org.opencontainers.image.title": "HAProxy",
            "org.opencontainers.image.version": words,
            "io.dsdeploy.libc": " ".join(platform.libc_ver()),
        },
        stop_signal="SIGUSR1",  # HAProxy ends its answers on this one, and cuts them off on SIGTERM
    )
