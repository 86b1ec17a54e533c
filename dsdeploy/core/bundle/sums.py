"""The root's digests as the texts that `sha256sum -c` reads."""

from dsdeploy.core.bundle.names import extent_name
from dsdeploy.core.bundle.values import Bundle


def extent_sums(bundle: Bundle) -> str:
    """A line for every tar member; an extent's name tells its blob and place."""
    extents = (one for volume in bundle.volumes for one in volume.extents)
    return "".join(f"{one.sha256}  {extent_name(one.blob, one.offset_bytes, one.size_bytes)}\n" for one in extents)


def file_sums(bundle: Bundle) -> str:
    return "".join(f"{one.sha256}  {one.path}\n" for one in bundle.files)


def sm3_sums(bundle: Bundle) -> str:
    """Empty when the bundle was built without SM3."""
    digests = {blob.sha256: blob.sm3 for blob in bundle.blobs}
    return "".join(f"{digests[one.sha256]}  {one.path}\n" for one in bundle.files if digests[one.sha256])
