"""The groups that device nodes belong to, by number: Docker looks names up in the image, which may not have them."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from dsdeploy.core.deployment import Launch


def node_groups(device: str) -> Iterable[int]:
    """Of a device node, or of those in a folder such as /dev/dri; none where it is not there."""
    path = Path(device)
    nodes = [one for one in path.iterdir() if not one.is_dir()] if path.is_dir() else [path]
    return [one.stat().st_gid for one in nodes if one.exists()]


def with_numbers(launch: Launch, groups_of: Callable[[str], Iterable[int]] = node_groups) -> Launch:
    """The launch with this machine's numbers for the names of its groups; as it is where its devices are elsewhere."""
    if all(one.isdigit() for one in launch.groups):
        return launch
    found = sorted({group for device in launch.devices for group in groups_of(device)} - {0})
    return replace(launch, groups=tuple(map(str, found))) if found else launch
