"""Judges a weight file by its header, without loading it: GGUF and safetensors, nothing that can hold code."""

import json
import struct
from io import BufferedReader
from pathlib import Path

from dsdeploy.core.documents import demand_mapping
from dsdeploy.core.texts import Malformed, text

_SCALARS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # GGUF value types and their bytes
_STRING, _ARRAY = 8, 9
_MOST = 1 << 26
_LONGEST_SAFETENSORS_HEADER = 100_000_000  # the safetensors library's own limit


def header_fault(path: Path) -> Exception | None:
    """What is wrong in the header of a .gguf or .safetensors file, None for a sound one or another kind of file."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            if path.name.removesuffix(".partial").endswith(".gguf"):
                _read_gguf(file, size)
            elif path.name.removesuffix(".partial").endswith(".safetensors"):
                _read_safetensors(file, size)
    except (ValueError, KeyError, TypeError, struct.error, RecursionError) as error:
        return error
    return None


def _read_gguf(file: BufferedReader, size: int) -> None:
    """https://github.com/ggml-org/ggml/blob/master/docs/gguf.md"""
    if _take(file, 4) != b"GGUF":
        raise Malformed(text("reason-no-gguf"))
    version, tensors, pairs = struct.unpack("<IQQ", _take(file, 20))
    if version not in (2, 3):
        raise Malformed(text("reason-gguf-version", version=version))
    if max(tensors, pairs) > min(_MOST, size):
        raise Malformed(text("reason-gguf-claims", tensors=tensors, pairs=pairs, size=size))
    for _ in range(pairs):
        _skip_string(file, size)
        _skip_value(file, size, struct.unpack("<I", _take(file, 4))[0])
    for _ in range(tensors):
        _skip_string(file, size)
        (dimensions,) = struct.unpack("<I", _take(file, 4))
        if dimensions > 8:
            raise Malformed(text("reason-tensor-dimensions", dimensions=dimensions))
        *_, offset = struct.unpack(f"<{dimensions}QIQ", _take(file, 8 * dimensions + 12))
        if offset >= size:
            raise Malformed(text("reason-tensor-beyond", offset=offset, size=size))


def _skip_value(file: BufferedReader, size: int, kind: int) -> None:
    if kind in _SCALARS:
        _take(file, _SCALARS[kind])
    elif kind == _STRING:
        _skip_string(file, size)
    elif kind == _ARRAY:
        inner, count = struct.unpack("<IQ", _take(file, 12))
        if count > size:
            raise Malformed(text("reason-array", count=count, size=size))
        if inner in _SCALARS:
            _skip(file, _SCALARS[inner] * count, size)
        else:
            for _ in range(count):
                _skip_value(file, size, inner)
    else:
        raise Malformed(text("reason-value-type", kind=kind))


def _skip_string(file: BufferedReader, size: int) -> None:
    _skip(file, struct.unpack("<Q", _take(file, 8))[0], size)


def _skip(file: BufferedReader, count: int, size: int) -> None:
    if count > size - file.tell():
        raise Malformed(text("reason-claimed", count=count, left=size - file.tell()))
    file.seek(count, 1)


def _take(file: BufferedReader, count: int) -> bytes:
    got = file.read(count)
    if len(got) < count:
        raise Malformed(text("reason-header-cut"))
    return got


def _read_safetensors(file: BufferedReader, size: int) -> None:
    """https://github.com/huggingface/safetensors#format"""
    (length,) = struct.unpack("<Q", _take(file, 8))
    if length > min(size - 8, _LONGEST_SAFETENSORS_HEADER):
        raise Malformed(text("reason-header-size", length=length, size=size))
    header = demand_mapping(json.loads(_take(file, length)))
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        begin, end = tensor["data_offsets"]
        if not 0 <= begin <= end <= size - 8 - length:
            raise Malformed(text("reason-tensor-lies", name=name, begin=begin, end=end))
