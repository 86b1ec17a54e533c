"""The matrix by which several vendors' tools tell how devices are joined."""

import re

from dsdeploy.core.machines import Link

# The legend that nvidia-smi topo -m prints, and npu-smi info -t topo and mx-smi topo -m after it.
_MEDIUM = {"PIX": "switch", "PXB": "bridge", "PHB": "host", "NODE": "numa", "SYS": "system", "SOC": "system"}
_DIRECT = ("NV", "HCCS", "SIO", "XGMI", "METALINK", "MX", "MTLINK", "HSWITCH", "ICN")


def read_matrix(said: str, prefix: str) -> tuple[Link, ...]:
    """The links among rows and columns named `prefix` with a number; colours and NICs are passed over."""
    return tuple(
        Link(first, second, kind, medium_of(kind)) for (first, second), kind in read_pairs(said, prefix).items()
    )


def read_pairs(said: str, prefix: str) -> dict[tuple[int, int], str]:
    """The word of each pair, the lower index first."""
    lines = [line.split() for line in re.sub(r"\x1b\[[0-9;]*m", "", said).splitlines()]
    name = re.compile(rf"{prefix}#?(\d+)$", re.IGNORECASE)
    columns: list[tuple[int, int]] = []
    pairs = {}
    for words in lines:
        row = name.match(words[0]) if words else None
        if row and len(words) > 1 and (name.match(words[1]) or not columns):
            columns = [(place + 1, int(found[1])) for place, word in enumerate(words) if (found := name.match(word))]
        elif row:
            first = int(row[1])
            for place, second in columns:
                if first < second and place < len(words):
                    pairs[first, second] = words[place]
    return pairs


def medium_of(kind: str) -> str:
    return "direct" if kind.upper().startswith(_DIRECT) and kind != "NODE" else _MEDIUM.get(kind.upper(), "unknown")
