"""A fleet as a file: what was asked comes back, what follows from it is never written."""

import json
from dataclasses import replace

import pytest

from dsdeploy.core.documents import from_document, to_document
from dsdeploy.core.findings import Finding
from dsdeploy.core.fleet import BrokenHost, Fleet, Machine, Node, Taint
from dsdeploy.core.machines import Accelerator, Disk, Health, Link, Occupant, Profile, Slice
from dsdeploy.core.texts import text

DISK = Disk("/", "ext4", 4, 2)
GPU = Accelerator(
    "nvidia", "H20", 0, 8, 1, "570", None, slices=(Slice("1g", 1),), health=Health(occupants=(Occupant(1, None, 2),))
)
PROFILE = Profile(
    "h", "Linux", None, 4, 4, 1, 8, 6, (DISK,), (), (GPU,), links=(Link(0, 1, "NV18", "direct"),), clock_ahead_s=-0.5
)
NODE = Node(True, True, (Taint("gpu", None, "NoSchedule"),), {"nvidia.com/gpu": "8"}, {})


def test_a_fleet_survives_its_file():
    fleet = Fleet((Machine("a", PROFILE, NODE), Machine("b", PROFILE)), (BrokenHost("c", "HostRefused", "no"),))
    assert from_document(Fleet, json.loads(json.dumps(to_document(fleet)))) == fleet


def test_findings_are_never_saved():
    judged = replace(PROFILE, findings=(Finding("gpu-ecc", "fail", text("unknown")),))
    assert "findings" not in to_document(judged)


def test_a_profile_saved_before_health_was_asked_still_loads():
    old = {
        k: v for k, v in to_document(PROFILE).items() if k not in ("links", "limits", "clock_ahead_s", "tool_faults")
    }
    assert from_document(Profile, old).links == ()


def test_a_misspelt_key_inside_is_named_with_its_place():
    document = to_document(Fleet((Machine("a", PROFILE),)))
    document["machines"][0]["profile"]["accelerators"][0]["heath"] = None
    with pytest.raises(
        ValueError, match=r"machines\[0\].profile.accelerators\[0\].heath: unknown key; nearest is health"
    ):
        from_document(Fleet, document)
