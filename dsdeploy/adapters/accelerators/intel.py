"""Intel data centre GPUs, by xpu-smi: its list tells names and addresses, no memory."""

import json

from dsdeploy.adapters.accelerators.base import Reading, Said, Vendor
from dsdeploy.core.machines import Accelerator, Health


def read(said: Said) -> Reading:
    return Reading(
        tuple(
            Accelerator(
                vendor="intel",
                name=one["device_name"],
                index=one["device_id"],
                memory_bytes=None,
                memory_used_bytes=None,
                driver_version=None,
                runtime_version=None,
                uuid=one.get("uuid"),
                pci_address=one.get("pci_bdf_address"),
                health=Health(state=one.get("device_state")),
            )
            for one in json.loads(said["devices"])["device_list"]
        )
    )


INTEL = Vendor("intel", {"devices": ("xpu-smi", "discovery", "-j")}, read)
