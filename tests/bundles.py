"""Small bundles for tests: weights of random bytes with their `weights.json`, built and loaded by the real stages."""

import hashlib
import json
import mmap
import os
import random
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path

from dsdeploy.adapters.bundle.keys import generate_key, load_public
from dsdeploy.core.documents import to_document
from dsdeploy.core.layout import Layout
from dsdeploy.core.progress import SILENT
from dsdeploy.core.values import WeightFile, Weights
from dsdeploy.stages.bundle.create import Created, Order, create
from dsdeploy.stages.bundle.gather import gather
from dsdeploy.stages.bundle.load import Consent, Loaded, load
from dsdeploy.stages.bundle.verify import Verified, verify

MODEL, FORMAT = "tiny", "gguf-q4"


@dataclass(frozen=True)
class Ground:
    """A place with a plan, weights and a key. Two shards have one size, so that they can be swapped."""

    folder: Path
    sizes: tuple[int, ...] = (30_000, 30_000, 70_001)

    @property
    def plan(self) -> Path:
        return self.folder / "plan.yaml"

    @property
    def weights(self) -> Path:
        return self.folder / "weights"

    def order(self, out: str, **more) -> Order:
        order = Order(self.folder / out, "tiny", (str(self.folder / "k.key"),), "25000", sequence=1)
        return replace(order, **more)

    def build(self, out: str = "bundle", **more) -> Created:
        gathered = gather(self.plan, (self.weights,), (), (), None)
        return create(self.order(out, **more), gathered, {"SOURCE_DATE_EPOCH": "1000000000"}, SILENT)

    def verify(self, *folders: Path, unsigned: bool = False) -> Verified:
        return verify(folders or (self.folder / "bundle",), self.trusted, unsigned, SILENT)

    def load(self, *folders: Path, home: str = "site", consent: Consent = Consent()) -> Loaded:  # noqa: B008
        return load(folders or (self.folder / "bundle",), Layout(self.folder / home), self.trusted, consent, SILENT)

    @property
    def trusted(self):
        return (load_public(self.folder / "k.pub"),)

    def write(self, seed: int = 0, changed: tuple[int, ...] = ()) -> None:
        """The weights; shards named in `changed` get other bytes."""
        self.weights.mkdir(exist_ok=True)
        files = []
        for number, size in enumerate(self.sizes):
            data = random.Random((number + 1) * 1000 + (seed if number in changed else 0)).randbytes(size)
            name = f"tiny-{number}.safetensors"
            (self.weights / name).write_bytes(data)
            files.append(WeightFile(name, size, hashlib.sha256(data).hexdigest()))
        known = Weights(MODEL, FORMAT, "directory", None, str(self.weights), tuple(files))
        (self.weights / "weights.json").write_text(json.dumps(to_document(known)))


def ground(folder: Path, sizes: tuple[int, ...] = Ground.sizes) -> Ground:
    folder.mkdir(exist_ok=True)
    made = Ground(folder, sizes)
    made.plan.write_text("a plan\n")
    made.write()
    generate_key(folder, "k", "ed25519")
    return made


def tree(folder: Path, *, without: tuple[str, ...] = ()) -> dict[str, str]:
    """Every file and link with its content, but those whose name is in `without`."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.name in without:
            continue
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = "-> " + str(path.readlink())
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def volumes(one) -> list[Path]:
    return sorted((one.folder / "bundle").glob("*.tar"))


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


class Written:
    """Bytes written at a place in a file, counted over all processes that are forked from here on."""

    def __init__(self, monkeypatch) -> None:
        self._count, real = mmap.mmap(-1, 8), os.pwrite

        def pwrite(file, content, at):
            done = real(file, content, at)
            self._count[:] = (int.from_bytes(self._count[:]) + done).to_bytes(8)
            return done

        monkeypatch.setattr(os, "pwrite", pwrite)

    def take(self) -> int:
        """How many since the last time."""
        found = int.from_bytes(self._count[:])
        self._count[:] = bytes(8)
        return found


def slow_disk(monkeypatch, flush_s: float) -> None:
    """Each flush takes so long that whoever does not wait for it has read on."""
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (time.sleep(flush_s), real(file))[1])


def in_child(act, calls: int | None) -> int:
    """Runs `act` in a process of its own, which kills itself before that many changes of the disk; its status."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    left = [calls]

    def counted(real):
        def call(*words, **more):
            if left[0] is not None:
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)
                left[0] -= 1
            return real(*words, **more)

        return call

    for name in ("pwrite", "write", "fsync", "link", "rename", "replace", "symlink", "unlink", "ftruncate"):
        setattr(os, name, counted(getattr(os, name)))
    try:
        act()
        os._exit(0)
    except BaseException:
        os._exit(1)
