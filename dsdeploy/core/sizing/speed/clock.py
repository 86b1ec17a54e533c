"""Adds up the seconds of one pass, operation by operation, at three levels: low (slow), expected, high (fast)."""

from dsdeploy.core.accelerators import AcceleratorSpec
from dsdeploy.core.sizing.speed.constants import (
    ATTENTION,
    CACHE_STREAM,
    COLLECTIVE,
    GROUPED,
    IMBALANCE,
    KERNEL,
    LINK,
    NOT_HIDDEN,
    PRODUCT,
    PRODUCT_BY_VENDOR,
    WEIGHT_STREAM,
    Constant,
)
from dsdeploy.core.sizing.speed.values import Bound, SpeedRequest, TensorFormat, Term

LEVELS = ("low", "expected", "high")
EXPECTED = LEVELS.index("expected")
Levels = tuple[float, float, float]
_EVEN: Levels = (1.0, 1.0, 1.0)
_SKEW: Levels = (IMBALANCE.low, IMBALANCE.expected, IMBALANCE.high)
_GROUPED: Levels = (1 / GROUPED.low, 1 / GROUPED.expected, 1 / GROUPED.high)


def number_rate(accelerator: AcceleratorSpec, number_type: str) -> tuple[float, Constant]:
    """(operations per second at peak, share of it that products reach): a type the chip lacks is unpacked and computed
    in bf16, or fp16 where there is no bf16 either.
    """
    known = accelerator.dense_tflops
    used = number_type if known.get(number_type) else "bf16" if known.get("bf16") else "fp16"
    return known[used] * 1e12, PRODUCT["bf16" if used == "fp16" else used]


class Clock:
    """`explain` also keeps, per operation, what bounds it and where its constants come from."""

    __slots__ = ("explain", "memory", "seconds", "spec", "terms", "vendor_share")

    def __init__(self, spec: AcceleratorSpec, explain: bool) -> None:
        assert spec.memory_bytes_per_s
        self.spec, self.explain, self.memory = spec, explain, spec.memory_bytes_per_s
        self.vendor_share = PRODUCT_BY_VENDOR.get(spec.vendor, 1.0)
        self.seconds: dict[str, Levels] = {}
        self.terms: dict[str, Term] = {}

    def total(self, level: int) -> float:
        return sum([values[level] for values in self.seconds.values()])

    def product(self, name: str, used: TensorFormat, weights: float, tokens: float) -> None:
        """`weights` parameters read once and multiplied with `tokens` rows."""
        rate, share = number_rate(self.spec, used.number_type)
        self._roof(name, weights * used.bits / 8, WEIGHT_STREAM, 2 * weights * tokens / rate, share)

    def grouped(
        self, name: str, used: TensorFormat, read_bytes: float, operations: float, scale: float, even: bool
    ) -> None:
        """Many small products at once; whole experts on ranks wait for the most loaded one unless `even`."""
        rate, share = number_rate(self.spec, used.number_type)
        skew = _EVEN if even else _SKEW
        ideal_s = operations / rate / scale
        self._roof(name, read_bytes / scale, WEIGHT_STREAM, ideal_s, share, skew, _GROUPED)

    def attention(self, name: str, read_bytes: float, operations: float, scale: float) -> None:
        rate, _ = number_rate(self.spec, "bf16")
        self._roof(name, read_bytes / scale, CACHE_STREAM, operations / rate / scale, ATTENTION)

    def indexer(self, name: str, read_bytes: float, operations: float) -> None:
        rate, share = number_rate(self.spec, "fp8")
        self._roof(name, read_bytes, CACHE_STREAM, operations / rate, share)

    def stream(self, name: str, moved_bytes: float) -> None:
        self._roof(name, moved_bytes, WEIGHT_STREAM, 0.0, ATTENTION)

    def fixed(self, name: str, times: float, constant: Constant) -> None:
        self._keep(
            name, (times * constant.low, times * constant.expected, times * constant.high), "overhead", constant.source
        )

    def launches(self, kernels: float, launch: Constant | None) -> None:
        """Without a graph the host launches each kernel in `launch`, ahead of the device: shown where it is slower."""
        floor = KERNEL.get(self.spec.vendor, KERNEL["other"])
        if launch is None:
            self.fixed("kernel launches", kernels, floor)
            return
        pairs = ((floor.low, launch.low), (floor.expected, launch.expected), (floor.high, launch.high))
        shown = [max(kernels * gap, kernels * each - self.total(level)) for level, (gap, each) in enumerate(pairs)]
        self._keep("kernel launches", (shown[0], shown[1], shown[2]), "overhead", launch.source)

    def overlap(self, name: str) -> None:
        """Two half batches take turns: this term shows as far as it outlasts the device's other work."""
        own = self.seconds.pop(name, None)
        if own is None:
            return
        shown = [
            max(own[level] - self.total(level), own[level] * share)
            for level, share in enumerate((NOT_HIDDEN.low, NOT_HIDDEN.expected, NOT_HIDDEN.high))
        ]
        self._keep(name, (shown[0], shown[1], shown[2]), "communication", NOT_HIDDEN.source)

    def collective(self, name: str, request: SpeedRequest, times: float, sent_bytes: float, across: bool) -> None:
        """`sent_bytes` leave one device in all; each of `times` collectives also pays its latency."""
        spec = self.spec
        # Bridges that join fewer devices than take part leave the others to PCIe, and all wait for the slowest.
        bridged = spec.link_devices is None or request.tp * request.dp <= spec.link_devices * request.nodes
        linked = spec.link not in (None, "PCIe") and spec.link_bytes_per_s is not None and bridged
        kind = "pcie" if not linked else "nvlink" if spec.vendor == "nvidia" else "fabric"
        bandwidth = spec.link_bytes_per_s if linked else spec.pcie_bytes_per_s or spec.link_bytes_per_s
        if across:
            kind, bandwidth = "network", request.internode_bytes_per_s
        assert bandwidth
        wait, wire_s = COLLECTIVE[kind], sent_bytes / bandwidth
        seconds = (
            times * wait.low + wire_s / LINK.low,
            times * wait.expected + wire_s / LINK.expected,
            times * wait.high + wire_s / LINK.high,
        )
        source = LINK.source if wire_s / LINK.expected > times * wait.expected else wait.source
        self._keep(name, seconds, "communication", source)

    def _roof(
        self,
        name: str,
        moved_bytes: float,
        stream: Constant,
        ideal_s: float,
        share: Constant,
        skew: Levels = _EVEN,
        slower: Levels = _EVEN,
    ) -> None:
        load_s, compute_s = moved_bytes / self.memory, ideal_s / self.vendor_share
        loading, computing = load_s / stream.expected, compute_s * slower[1] / share.expected
        seconds = (
            max(load_s / stream.low, compute_s * slower[0] / share.low) * skew[0],
            max(loading, computing) * skew[1],
            max(load_s / stream.high, compute_s * slower[2] / share.high) * skew[2],
        )
        if loading >= computing:
            self._keep(name, seconds, "memory", stream.source)
        else:
            self._keep(name, seconds, "compute", share.source)

    def _keep(self, name: str, seconds: Levels, bound: Bound, source: str) -> None:
        self.seconds[name] = seconds
        if self.explain:
            self.terms[name] = Term(seconds[1], bound, source)
