"""The files that a program of this machine needs to run alone: its libraries, and Python with its standard library."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from dsdeploy.adapters.images.archive import ImageFile
from dsdeploy.core.errors import RuntimeMissing
from dsdeploy.core.texts import text

PYTHON = "/usr/bin/python3"
LIBRARIES = "/usr/lib"
_LEFT_OUT = {
    *("__pycache__", "site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "turtledemo"),
    *("ensurepip", "lib2to3", "pydoc_data"),
}
_MODULES_LEFT_OUT = (  # compiled modules that would bring a library that neither a server nor its checks need
    *("_sqlite3", "_tkinter", "_curses", "readline", "_dbm", "_gdbm", "nis", "ossaudiodev"),
    *("_test", "_ctypes_test", "xx", "_xx"),
)
_NAME_SERVICES = ("libnss_files.so.2", "libnss_dns.so.2")  # glibc before 2.34 loads them by name


def python_files() -> tuple[ImageFile, ...]:
    """This Python and its standard library, without what serves no server."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    stdlib = Path(sysconfig.get_path("stdlib"))
    files = [ImageFile(PYTHON, _python(), executable=True)]
    for folder, names, leaves in os.walk(stdlib):
        names[:] = [one for one in names if one not in _LEFT_OUT and not one.startswith("config-")]
        for leaf in leaves:
            path = Path(folder, leaf)
            if path.suffix in (".py", ".so") and not leaf.startswith(_MODULES_LEFT_OUT) and path.is_file():
                files.append(ImageFile(f"/usr/{sys.platlibdir}/{version}/{path.relative_to(stdlib)}", path))
    return tuple(files)


def package_files(package: Path, place: str) -> tuple[ImageFile, ...]:
    """A package's folder, below the folder `place` of the image."""
    paths = (one for one in package.rglob("*") if one.is_file() and "__pycache__" not in one.parts)
    return tuple(ImageFile(f"{place}/{package.name}/{one.relative_to(package)}", one) for one in paths)


def library_files(programs: tuple[Path, ...]) -> tuple[ImageFile, ...]:
    """Every shared library that `programs` are linked with, as `ldd` finds them. Raises RuntimeMissing."""
    try:
        run = subprocess.run(
            ["ldd", *map(str, programs)],
            capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}, check=False,
        )  # fmt: skip
    except OSError as error:
        raise RuntimeMissing(text("ldd-missing"), hint=text("ldd-missing-hint")) from error
    found: dict[str, Path] = {}
    for line in run.stdout.splitlines():
        name, arrow, target = line.strip().partition(" => ")
        if arrow and target == "not found":
            raise RuntimeMissing(text("library-missing", name=name), hint=text("library-missing-hint"))
        if arrow:
            found[f"{LIBRARIES}/{name}"] = Path(target.split(" (")[0])
        elif line.startswith("\t/"):
            loader = name.split(" (")[0]
            found[loader] = Path(loader)
    services = {
        f"{LIBRARIES}/{name}": one.with_name(name)
        for one in found.values() if one.name == "libc.so.6"
        for name in _NAME_SERVICES if one.with_name(name).is_file()
    }  # fmt: skip
    return tuple(ImageFile(place, path, executable=True) for place, path in (found | services).items())


def is_program(file: ImageFile) -> bool:
    return isinstance(file.source, Path) and (file.executable or ".so" in file.source.suffixes)


def _python() -> Path:
    return Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
