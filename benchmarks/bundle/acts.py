"""What dsdeploy does to a bundle, each act in a process of its own: `python -m benchmarks.bundle.acts ACT FOLDER`.

Prints its peak memory and the bytes that it asked the kernel for.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

from dsdeploy.core.layout import Layout
from dsdeploy.core.progress import SILENT
from dsdeploy.stages.bundle.create import Order, create
from dsdeploy.stages.bundle.gather import gather
from dsdeploy.stages.bundle.load import Consent, load
from dsdeploy.stages.bundle.verify import verify

SHARD_BYTES = VOLUME_BYTES = 10**9
MODEL, FORMAT = "tiny", "q"
_BLOCK_BYTES = 10**7


def make_weights(folder: Path, shards: int, shard_bytes: int = SHARD_BYTES) -> None:
    """Random bytes, which nothing can make smaller, with the list that `fetch` leaves beside them."""
    weights = folder / "weights"
    weights.mkdir()
    known = []
    for number in range(shards):
        path, digest = weights / f"tiny-{number}.safetensors", hashlib.sha256()
        with path.open("wb") as file:
            for _ in range(shard_bytes // _BLOCK_BYTES):
                block = os.urandom(_BLOCK_BYTES)
                file.write(block)
                digest.update(block)
        known.append({"name": path.name, "size_bytes": shard_bytes, "sha256": digest.hexdigest()})
    stated = {"model_id": MODEL, "format": FORMAT, "source": "directory", "revision": None, "directory": str(weights)}
    document = {"apiVersion": "dsdeploy/v1", "kind": "Weights", **stated, "files": known}
    (weights / "weights.json").write_text(json.dumps(document))
    (folder / "plan.yaml").write_text("a plan\n")


def main(act: str, folder: Path) -> None:
    before = _read_bytes()
    if act == "build":
        order = Order(folder / "out", MODEL, (), str(VOLUME_BYTES), sequence=1, allow_unsigned=True)
        create(order, gather(folder / "plan.yaml", (folder / "weights",), (), (), None), {}, SILENT)
    elif act == "verify":
        verify((folder / "out",), (), True, SILENT)
    else:
        load((folder / "out",), Layout(folder / "site"), (), Consent(unsigned=True), SILENT)
    print(json.dumps({"peak_bytes": _peak_bytes(), "read_bytes": _read_bytes() - before}))


def _read_bytes() -> int:
    return int(Path("/proc/self/io").read_text().split()[1])


def _peak_bytes() -> int:
    """Of this program: getrusage also counts what its parent held when it forked."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(one for one in lines if one.startswith("VmHWM")).split()[1]) * 1024


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
