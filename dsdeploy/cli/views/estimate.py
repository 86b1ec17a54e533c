"""One judged configuration, as a table."""

from dsdeploy.cli.views.table import Table, gib
from dsdeploy.core.band import Band
from dsdeploy.core.texts import text
from dsdeploy.stages.estimate import Estimate

VERDICTS = {
    "fits": text("verdict-fits"),
    "weights_too_large": text("verdict-weights"),
    "kv_cache_too_small": text("verdict-cache"),
    "format_unsupported": text("verdict-format"),
    "parallelism_invalid": text("verdict-parallelism"),
}


def estimate_rows(found: Estimate, language: str) -> Table:
    def say(id: str, **values: object) -> str:
        return text(id, **values).render(language)

    def each(id: str) -> str:
        return say("per-device", what=text(id))

    def band(value: Band | None, digits: int) -> str:
        if value is None:
            return say("unknown")
        ends = sorted((value.low, value.high))
        low, expected, high = (f"{number:,.{digits}f}" for number in (ends[0], value.expected, ends[1]))
        return say("band", expected=expected, low=low, high=high)

    rows: list[tuple[str, ...]] = [
        (say("verdict"), VERDICTS[found.verdict].render(language)),
        (say("model"), f"{found.model} {found.format}"),
        (say("engine"), found.engine),
        (each("device-memory"), gib(found.device_memory_bytes, language)),
        (each("weights"), gib(found.weights_bytes_per_device, language)),
        (each("runtime-memory"), gib(found.runtime_bytes_per_device, language)),
        (each("kv-cache"), gib(found.kv_cache_bytes_per_device, language)),
        (say("host-memory"), gib(found.host_memory_bytes, language)),
        (say("kv-tokens"), f"{found.kv_cache_tokens:,}"),
        (say("full-contexts"), f"{found.max_concurrency:,.2f} × {found.max_model_len:,}"),
        (say("decode-user"), band(found.decode_tokens_per_s_per_user, 1)),
        (say("decode-total"), band(found.decode_tokens_per_s_total, 0)),
        (say("first-token"), band(found.ttft_s, 2)),
    ]
    rows += [(say("warning"), one.render(language)) for one in found.warnings]
    return (say("field"), say("value")), rows
