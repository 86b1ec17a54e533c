"""Recorded machines: what a vendor's tool said in public, as the library's own device type, and what it must become.

This machine has no accelerator; the recordings stand in for them. A new case is a new folder in `tests/machines/`.
"""

import json
from pathlib import Path

import pytest
from gpustack_runtime import detector

from dsdeploy.adapters import accelerators
from dsdeploy.adapters.accelerators import detect_accelerators
from dsdeploy.core.documents import to_document

MACHINES = sorted(path.parent for path in (Path(__file__).parents[1] / "machines").glob("*/said.json"))


@pytest.mark.parametrize("machine", MACHINES, ids=lambda path: path.name)
def test_a_recorded_machine_becomes_its_accelerators(machine, monkeypatch):
    said = json.loads((machine / "said.json").read_text())
    devices = [
        detector.Device(**{**one, "manufacturer": detector.ManufacturerEnum(one["manufacturer"])})
        for one in said["devices"]
    ]
    monkeypatch.setattr(accelerators, "_anything_like_one", lambda: True)
    monkeypatch.setattr(detector, "detect_devices", lambda **_: devices)
    found = [to_document(one) for one in detect_accelerators()]
    expected = json.loads((machine / "accelerators.json").read_text())
    assert [one | wanted for one, wanted in zip(found, expected, strict=True)] == found and said["source"].startswith(
        "https://"
    )


def test_a_machine_without_accelerators_has_none():
    assert detect_accelerators() == ()
