"""What the speed model refuses, by name and with the numbers."""

from dsdeploy.core.errors import InvalidRequest
from dsdeploy.core.sizing.speed.values import SpeedRequest
from dsdeploy.core.texts import text


class SpeedUnknown(InvalidRequest):
    """A figure that the prediction needs is not known, so there is no honest number to give."""


def refuse_unusable(request: SpeedRequest) -> None:
    """Raises InvalidRequest or SpeedUnknown; returns only where every figure that is needed is there."""
    for name in ("tp", "pp", "dp", "ep", "nodes", "concurrency", "prompt_tokens", "output_tokens"):
        _at_least(name, getattr(request, name), 1)
    _at_least("mtp_draft_tokens", request.mtp_draft_tokens, 0)
    chance = request.mtp_acceptance
    if chance is not None and not 0 <= chance <= 1:
        raise InvalidRequest(
            text("speed-not-a-share", name="mtp_acceptance", value=chance), hint=text("speed-not-a-share-hint")
        )
    if not 0 <= request.host_share <= 1:
        raise InvalidRequest(
            text("speed-not-a-share", name="host_share", value=request.host_share), hint=text("speed-not-a-share-hint")
        )
    if request.host_share > 0 and not request.host_memory_bytes_per_s:
        raise SpeedUnknown(text("speed-host-memory-unknown"), hint=text("speed-host-memory-unknown-hint"))
    spec = request.accelerator
    if spec is None:
        if request.engine != "llama.cpp" or request.host_share < 1:
            raise InvalidRequest(
                text("speed-no-accelerator", engine=request.engine), hint=text("speed-no-accelerator-hint")
            )
        return
    if not spec.memory_bytes_per_s:
        raise SpeedUnknown(text("speed-bandwidth-unknown", name=spec.name), hint=text("speed-figure-unknown-hint"))
    if not (spec.dense_tflops.get("bf16") or spec.dense_tflops.get("fp16")):
        raise SpeedUnknown(text("speed-throughput-unknown", name=spec.name), hint=text("speed-figure-unknown-hint"))
    if request.tp * request.dp * request.pp > 1 and not (spec.link_bytes_per_s or spec.pcie_bytes_per_s):
        raise SpeedUnknown(text("speed-link-unknown", name=spec.name), hint=text("speed-figure-unknown-hint"))
    if request.nodes > 1 and not request.internode_bytes_per_s:
        raise SpeedUnknown(text("speed-network-unknown", nodes=request.nodes), hint=text("speed-network-unknown-hint"))


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise InvalidRequest(
            text("speed-too-small", name=name, value=value, least=least), hint=text("speed-too-small-hint")
        )
