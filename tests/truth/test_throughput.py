"""The speed model keeps to what real engines logged: the figures that were reached may not be lost."""

import json

from dsdeploy.core.accelerators import find_accelerator
from dsdeploy.core.catalogue import architecture
from dsdeploy.core.sizing.speed import BF16, ServingSpeed, SpeedRequest, WeightFormats
from tests.truth.throughput import HERE, aside, judged, median_error, published, rows, share_within


def test_judged_rows_lie_in_their_bands():
    found = judged()
    assert len(found) + len(aside()) == len(rows())
    assert share_within(found) >= 0.92
    assert median_error(found) <= 0.15
    assert max(one.high / one.low for one in found) <= 4


def test_published_figures_on_other_machines_lie_in_their_bands():
    found = published()
    assert share_within(found) == 1
    assert median_error(found) <= 0.15


def test_rows_are_set_aside_by_name_with_a_reason():
    assert set(aside()) <= {row["id"] for row in rows()}
    assert all(aside().values())


def test_one_user_of_the_real_vllm_on_an_accelerator_is_as_fast_as_predicted():
    """Recorded by scripts/record_vllm_gpu.py. More users say nothing here, since random weights choose few experts."""
    recorded = json.loads((HERE / "vllm_gpu.json").read_text(encoding="utf-8"))
    (row,) = (one for one in recorded["rows"] if one.get("speeds"))
    request = SpeedRequest(
        architecture=architecture(row["model_id"]), weights=WeightFormats(BF16, BF16, BF16),
        accelerator=find_accelerator(recorded["device"]), engine="vllm", engine_version=recorded["engine_version"],
        prompt_tokens=row["prompt_tokens"], output_tokens=128, max_num_batched_tokens=row["step"],
    )  # fmt: skip
    found, alone = ServingSpeed(request).estimate(1), row["speeds"][0]
    rate, first = found.decode_tokens_per_s_per_user, found.ttft_s
    assert rate.low <= alone["tokens_per_s_per_user"] <= rate.high
    assert first.high <= alone["first_token_ms"] / 1000 <= first.low
