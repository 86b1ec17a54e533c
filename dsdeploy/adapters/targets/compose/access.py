"""What the containers' user may read of this machine: the key, alone; the weights, like everybody."""

import os
import stat
from pathlib import Path

from dsdeploy.core.errors import InstallError
from dsdeploy.core.layout import KEYS_FILE
from dsdeploy.core.texts import text
from dsdeploy.core.values import Release


def granted(release: Release, user: str) -> bool:
    """Whether the key file is that user's; a file that is not there yet will be this user's own."""
    keys = Path(release.folder) / KEYS_FILE
    return (keys.stat().st_uid if keys.exists() else os.getuid()) == _uid(user)


def grant_keys(path: str, user: str) -> None:
    """Raises InstallError."""
    try:
        os.chown(path, *map(int, user.split(":")))
    except OSError as error:
        raise _refused(path, error) from error


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
    return InstallError(text("not-shared", path=path, reason=error.strerror or error), hint=text("not-shared-hint"))
