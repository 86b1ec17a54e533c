"""Builds of vLLM that a chip's vendor publishes: the words of the vLLM release that each was made from."""

import json
from functools import cache
from importlib import resources
from typing import Any

from dsdeploy.adapters.engines import judge
from dsdeploy.adapters.engines.surroundings import ACCESS
from dsdeploy.adapters.engines.vllm import hold_vllm, vllm_launch
from dsdeploy.core.deployment import Deployment, Launch, Place
from dsdeploy.core.engines import find_engine
from dsdeploy.core.flags import flag_table, recorded_versions

# The software stack of each compile target, as gpustack-runner names it.
_BACKENDS = {"gfx928": "dtk", "xcore1000": "maca", "mp_31": "musa", "ppu": "hggc", "ivcore11": "corex"}


class VllmVendor:
    name = "vllm-vendor"

    def refuse(self, deployment: Deployment) -> None:
        spec, images = find_engine(self.name), vendor_images(judge.target(deployment))
        judge.hold_format(deployment, spec)
        if not images:
            judge.hold_image(deployment, spec, None, ())
        hold_vllm(deployment, spec, tuple(images))

    def launch(self, deployment: Deployment, place: Place) -> Launch:
        self.refuse(deployment)
        version = deployment.engine_version
        image = vendor_images(judge.target(deployment))[version]
        access = ACCESS[judge.vendor(deployment)]
        return vllm_launch(deployment, place, flag_table("vllm", version), image, access, (), {})


def vendor_images(target: str) -> dict[str, str]:
    """Version → image for a compile target, oldest first: of the versions whose options are recorded."""
    found = {
        row["version"]: row["image"]
        for row in _images()
        if row["engine"] == "vllm" and row["backend"] == _BACKENDS.get(target)
    }
    return {version: found[version] for version in recorded_versions("vllm") if version in found}


@cache
def _images() -> list[dict[str, Any]]:
    content = (resources.files("dsdeploy.core") / "data" / "images.json").read_text(encoding="utf-8")
    images: list[dict[str, Any]] = json.loads(content)["images"]
    return images
