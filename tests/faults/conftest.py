"""A bundle that was built once, and a copy of it to break for each test."""

import shutil

import pytest

from tests.bundles import ground


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    made = ground(tmp_path_factory.mktemp("whole"))
    made.build()
    return made


@pytest.fixture
def ours(whole, tmp_path):
    """A copy to break."""
    return type(whole)(shutil.copytree(whole.folder, tmp_path / "ours"), whole.sizes)
