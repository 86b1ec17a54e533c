"""What the containers' user may read of this machine: what the gateway is told, alone; the weights, like everybody."""

import os
import stat
from pathlib import Path

from dsdeploy.core.errors import InstallError
from dsdeploy.core.layout import CERTIFICATE_FILE, ENGINE_KEY_FILE, KEY_MAP_FILE
from dsdeploy.core.texts import text
from dsdeploy.core.values import Release

_SHARED = (KEY_MAP_FILE, CERTIFICATE_FILE, ENGINE_KEY_FILE)


def granted(release: Release, user: str) -> bool:
    """Whether all that is there is that user's; what is not there yet will be this user's own."""
    found = [one.stat().st_uid for one in _secrets(release)]
    return all(uid == _uid(user) for uid in found or [os.getuid()])


def grant_secrets(release: Release, user: str) -> None:
    """Gives that user the folders, and the files in them, that its containers mount. Raises InstallError."""
    for path in _secrets(release):
        try:
            os.chown(path, *map(int, user.split(":")))
        except OSError as error:
            raise _refused(str(path), error) from error


def _secrets(release: Release) -> tuple[Path, ...]:
    folders = [(Path(release.folder) / one).parent for one in _SHARED]
    return tuple(path for one in folders if one.is_dir() for path in (one, *one.iterdir()))


def unshared(release: Release, user: str) -> tuple[Path, ...]:
    """The weights' folder and files that `user` could not read in a container; nothing is asked of its parents."""
    folder = Path(release.weights.directory)
    paths = (folder, *(folder / one.name for one in release.weights.files))
    return tuple(one for one in paths if one.exists() and not _readable(one.stat(), _uid(user)))


def share_weights(release: Release, user: str) -> None:
    """Raises InstallError."""
    for path in unshared(release, user):
        try:
            path.chmod(path.stat().st_mode | _bits(path.stat()))
        except OSError as error:
            raise _refused(str(path), error) from error


def _readable(found: os.stat_result, uid: int) -> bool:
    bits = _bits(found)
    return found.st_uid == uid or found.st_mode & bits == bits


def _bits(found: os.stat_result) -> int:
    """What everybody needs: to read a file, to read and enter a folder."""
    return stat.S_IROTH | stat.S_IXOTH if stat.S_ISDIR(found.st_mode) else stat.S_IROTH


def _uid(user: str) -> int:
    return int(user.split(":")[0])


def _refused(path: str, error: OSError) -> InstallError:
    return InstallError(text("not-shared", path=path, reason=error), hint=text("not-shared-hint"))
