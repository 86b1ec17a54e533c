"""Sizes as people read them."""

import pytest

from dsdeploy.core.sizes import size_words


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (0, "0 B"),
        (516, "516 B"),
        (2**20 - 1, "1,048,575 B"),
        (2**20, "1.00 MiB"),
        (253_115_776, "241.39 MiB"),
        (2**30 - 1, "1,024.00 MiB"),
        (2**30, "1.00 GiB"),
        (688_586_727_753, "641.30 GiB"),
        (3 * 2**40, "3,072.00 GiB"),
    ],
)
def test_a_size_is_said_in_the_largest_unit_that_it_fills(size_bytes, words):
    assert size_words(size_bytes) == words
