"""SGLang's memory fraction, as each version's source computes it."""

import pytest

from dsdeploy.core import catalogue
from dsdeploy.core.sizing.sglang import static_fraction
from dsdeploy.core.sizing.values import MemoryRequest

MIB = 1 << 20


@pytest.mark.parametrize(
    ("version", "memory_mib", "ranks", "expected"),
    [
        ((0, 4, 5), 81559, 8, 0.81),
        ((0, 4, 5), 143771, 16, 0.79),
        ((0, 4, 6), 143771, 8, (143771 - 18 * 1024) / 143771),
        ((0, 4, 7), 183359, 8, 0.79),
        ((0, 4, 9), 81559, 8, round(1 - 13.5 * 1024 / 81559, 3)),
        ((0, 5, 2), 183359, 8, round(1 - 32 * 1024 / 183359, 3)),
        ((0, 5, 4), 81559, 8, round(1 - (512 + 12288 + 1024 + 1024) / 81559, 3)),
        ((0, 5, 10), 143771, 8, round(1 - (512 + 12288 + 1024 + 1024 + 1536) / 143771, 3)),
        ((0, 5, 23), 24564, 1, round(1 - (512 + 6144 + 96 + 128 + 1536) / 24564, 3)),
    ],
)
def test_the_fraction_of_a_version(version, memory_mib, ranks, expected):
    asked = MemoryRequest(
        catalogue.architecture("deepseek-r1"), "fp8", "sglang", memory_mib * MIB, count=ranks, tensor_parallel=ranks
    )
    assert static_fraction(asked, version) == pytest.approx(expected, abs=0.0006)
