"""The engines that can be launched, by name."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dsdeploy.core.engines import find_engine

if TYPE_CHECKING:
    from dsdeploy.adapters.engines.base import Engine


def engine_adapters() -> Mapping[str, "Engine"]:
    """Every member of the family."""
    from dsdeploy.adapters.engines.llamacpp.launch import LlamaCpp
    from dsdeploy.adapters.engines.sglang import Sglang
    from dsdeploy.adapters.engines.vllm import Vllm
    from dsdeploy.adapters.engines.vllm_ascend import VllmAscend
    from dsdeploy.adapters.engines.vllm_vendor import VllmVendor

    members: tuple[Engine, ...] = (Vllm(), Sglang(), LlamaCpp(), VllmAscend(), VllmVendor())
    return {one.name: one for one in members}


def find_engine_adapter(name: str) -> "Engine":
    """The engine with this name, in any case. Raises UnknownEngine, which names the nearest."""
    return engine_adapters()[find_engine(name).name]
