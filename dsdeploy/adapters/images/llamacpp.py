"""The image of llama.cpp: a scratch root that holds this machine's engine, its libraries, and nothing else."""

import importlib.metadata
import importlib.util
import platform
import re
import subprocess
from pathlib import Path

from dsdeploy.adapters.engines.llamacpp import SERVE_SCRIPT, engine_command
from dsdeploy.adapters.images import rootfs
from dsdeploy.adapters.images.archive import ImageFile, ImageSpec

USER = "10001:10001"
PROBE = "/opt/dsdeploy/probe.py"
PYTHON = (rootfs.PYTHON, "-B", "-S")
_HERE = Path(__file__).parent
_FOLDER = "/opt/dsdeploy"
_BINARY = "/usr/bin/llama-server"
USER_FILES = (
    ImageFile("/etc/passwd", b"root:x:0:0::/:/nonexistent\nnonroot:x:10001:10001::/tmp:/nonexistent\n"),
    ImageFile("/etc/group", b"root:x:0:\nnonroot:x:10001:\n"),
)


def llamacpp_image() -> ImageSpec:
    """What `engine_command` would run here, as an image. Raises RuntimeMissing."""
    command = engine_command()
    engine, version = _binary(Path(command[0])) if len(command) == 1 else _embedded()
    files = (
        *rootfs.python_files(),
        *engine,
        ImageFile(PROBE, _HERE / "probe.py"),
        *USER_FILES,
    )
    programs = tuple(one.source for one in files if rootfs.is_program(one) and isinstance(one.source, Path))
    return ImageSpec(
        name="dsdeploy/llama.cpp",
        version=version,
        files=(*files, *rootfs.library_files(programs)),
        entrypoint=(_BINARY,),
        environment=("PATH=/usr/bin", f"LD_LIBRARY_PATH={rootfs.LIBRARIES}", f"PYTHONPATH={_FOLDER}", "HOME=/tmp"),
        user=USER,
        labels={
            "org.opencontainers.image.title": "llama.cpp",
            "org.opencontainers.image.version": version,
            "io.dsdeploy.python": platform.python_version(),
            "io.dsdeploy.libc": " ".join(platform.libc_ver()),
        },
    )


def _embedded() -> tuple[tuple[ImageFile, ...], str]:
    """The package and, under the binary's own name, the script that serves with it."""
    package = importlib.util.find_spec("xllamacpp")
    assert package is not None and package.origin is not None  # engine_command found it
    script = f"#!{rootfs.PYTHON} -BS\n".encode() + SERVE_SCRIPT.read_bytes()
    files = (
        *rootfs.package_files(Path(package.origin).parent, _FOLDER),
        ImageFile(_BINARY, script, executable=True),
    )
    return files, importlib.metadata.version("xllamacpp")


def _binary(path: Path) -> tuple[tuple[ImageFile, ...], str]:
    run = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    build = re.search(r"version: (\d+)", run.stdout + run.stderr)
    return (ImageFile(_BINARY, path.resolve(), executable=True),), f"b{build[1]}" if build else "unknown"
