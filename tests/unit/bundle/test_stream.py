"""What passes through once leaves no trace in memory that others could use."""

import errno
import hashlib
import os
import subprocess

import pytest

from dsdeploy.adapters.bundle import stream
from dsdeploy.adapters.bundle.stream import Copier, ReadFailed

SIZE_BYTES, WRITE_BACK_BYTES = 32 * 2**20, 8 * 2**20


@pytest.fixture
def source(tmp_path):
    """On its disk, and nowhere else."""
    path = tmp_path / "source"
    path.write_bytes(os.urandom(SIZE_BYTES))
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    yield file
    os.close(file)


@pytest.fixture
def target(tmp_path):
    file = os.open(tmp_path / "target", os.O_RDWR | os.O_CREAT)
    yield file
    os.close(file)


def in_memory(file: int) -> int:
    words = ["fincore", "--bytes", "--noheadings", "--output", "RES", f"/proc/{os.getpid()}/fd/{file}"]
    return int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def copy(source: int, target: int, keep_written: bool) -> str:
    digest = hashlib.sha256()
    with Copier(lambda count: None, keep_written=keep_written) as copier:
        copier.copy(source, 0, SIZE_BYTES, (digest,), (target, 0))
    return digest.hexdigest()


@pytest.mark.parametrize("keep_written", [True, False])
def test_what_was_written_stays_in_memory_only_when_it_is_read_next(source, target, keep_written, monkeypatch):
    monkeypatch.setattr(stream, "_WRITE_BACK_BYTES", WRITE_BACK_BYTES)
    if in_memory(source):
        pytest.skip("this file system lives in memory")
    copy(source, target, keep_written)
    if keep_written:
        assert in_memory(target) == SIZE_BYTES
    else:
        assert in_memory(target) <= SIZE_BYTES - WRITE_BACK_BYTES


def test_what_was_read_stays_in_memory_only_when_it_was_there(source, target):
    try:
        os.preadv(source, [bytearray(1)], 0, stream._PASSING_BY)
    except OSError:
        pytest.skip("this kernel or file system keeps whatever is read")
    os.posix_fadvise(source, 0, 0, os.POSIX_FADV_DONTNEED)
    copy(source, target, False)
    assert in_memory(source) < SIZE_BYTES // 2
    os.pread(source, SIZE_BYTES, 0)
    copy(source, target, False)
    assert in_memory(source) == SIZE_BYTES


def test_where_no_such_read_is_known_the_bytes_are_the_same(source, target, monkeypatch):
    real = os.preadv

    def older(file, buffers, at, flags=0):
        if flags:
            raise OSError(errno.EOPNOTSUPP, "unknown")
        return real(file, buffers, at)

    monkeypatch.setattr(os, "preadv", older)
    whole = os.pread(source, SIZE_BYTES, 0)
    assert copy(source, target, False) == hashlib.sha256(whole).hexdigest()
    assert os.pread(target, SIZE_BYTES, 0) == whole


def test_a_disk_that_cannot_be_read_is_still_an_error(source, target, monkeypatch):
    def broken(*_: object) -> int:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "preadv", broken)
    with pytest.raises(ReadFailed) as error:
        copy(source, target, False)
    assert error.value.reason.errno == errno.EIO
