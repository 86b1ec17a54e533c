import json
from collections import Counter
from importlib.resources import files

import pytest

from dsdeploy.core.accelerators import _key, accelerators, find_accelerator, formats_run, names_of
from dsdeploy.core.engines import engines, find_engine
from dsdeploy.core.errors import UnknownAccelerator, UnknownEngine

# As public reports of runs name the hardware, with what they mean.
REPORTED = {
    "A single NVIDIA A100 SXM GPU.": "a100-sxm4-80gb",
    "A single NVIDIA H100 SXM GPU.": "h100-sxm5-80gb",
    "AMD Instinct MI308X": "mi308x",
    "AMD MI210": "mi210",
    "AMD MI300X": "mi300x",
    "AMD MI308X": "mi308x",
    "Ascend 910B (64 GB)": "ascend-910b3",
    "Ascend 910B 64GB": "ascend-910b3",
    "B200": "b200",
    "B200 (175.34 GB avail)": "b200",
    "GB10 (DGX Spark)": "gb10",
    "GB200": "gb200",
    "GB300": "gb300",
    "GH200 96GB": "gh200-96gb",
    "H100": "h100-sxm5-80gb",
    "H100 80GB": "h100-sxm5-80gb",
    "H100 SXM5": "h100-sxm5-80gb",
    "H20-3e 141GB": "h20-141gb",
    "H200": "h200-141gb",
    "H200 NVL": "h200-nvl-141gb",
    "H200 SXM": "h200-141gb",
    "H800": "h800-sxm5-80gb",
    "L40 48GB": "l40",
    "L40S": "l40s",
    "NVIDIA A10": "a10",
    "NVIDIA A100-SXM4-80GB": "a100-sxm4-80gb",
    "NVIDIA GeForce RTX 3090": "rtx3090",
    "NVIDIA GeForce RTX 3090 Ti": "rtx3090ti",
    "NVIDIA GeForce RTX 4090": "rtx4090",
    "NVIDIA GeForce RTX 5090": "rtx5090",
    "NVIDIA H100 80GB HBM3": "h100-sxm5-80gb",
    "NVIDIA H20-3e (141 GB)": "h20-141gb",
    "NVIDIA H200": "h200-141gb",
    "NVIDIA L40S": "l40s",
    "NVIDIA RTX A6000": "rtx-a6000",
    "RTX 3090": "rtx3090",
    "RTX 4090": "rtx4090",
    "RTX 4090 48GB": "rtx4090-48gb",
    "RTX 4090D": "rtx4090d",
    "RTX 5090": "rtx5090",
    "RTX A6000": "rtx-a6000",
    "RTX PRO 6000": "rtx-pro-6000-blackwell",
    "RTX PRO 6000 Blackwell (assumed)": "rtx-pro-6000-blackwell",
    "RTX PRO 6000 Blackwell 96GB": "rtx-pro-6000-blackwell",
    "Tesla T4": "t4",
    "Ascend910B4": "ascend-910b4",
    "a800-sxm4-80GB": "a800-sxm4-80gb",
    "MTT S4000": "mthreads-s4000",
    "h20_3e": "h20-141gb",
}


@pytest.mark.parametrize(("reported", "meant"), REPORTED.items())
def test_a_reported_name_finds_its_accelerator(reported, meant):
    assert find_accelerator(reported).id == meant


@pytest.mark.parametrize("name", ["24GB GPU", "H100 141GB", "L40 24GB", "Xeon 6454S", "", "48GB-class sm8x GPU"])
def test_what_is_no_product_or_has_another_size_is_refused(name):
    with pytest.raises(UnknownAccelerator) as caught:
        find_accelerator(name)
    assert name in caught.value.message.render("zh") and caught.value.hint.render("en")


def test_a_slip_offers_the_nearest():
    with pytest.raises(UnknownAccelerator) as caught:
        find_accelerator("NVIDIA H2000")
    assert "h200-141gb" in caught.value.hint.render("en")


def test_no_two_accelerators_share_a_name():
    owners = Counter(key for spec in accelerators() for key in {_key(name) for name in names_of(spec)})
    assert [key for key, count in owners.items() if count > 1] == []


def test_every_figure_has_a_source():
    content = json.loads(files("dsdeploy.core.data").joinpath("accelerators.json").read_text(encoding="utf-8"))
    figures = {
        "memory": "memory_gib", "reported memory": "memory_reported_mib", "usable memory": "memory_usable_gib",
        "bandwidth": "memory_gb_per_s", "throughput": "dense_tflops", "pcie": "pcie", "power": "power_w",
    }  # fmt: skip
    for entry in content["accelerators"]:
        known = {figure for figure, field in figures.items() if entry[field]}
        assert known == entry["sources"].keys() - {"link"}, entry["id"]
        assert set(entry["sources"].values()) <= content["sources"].keys()
    named = {source for entry in content["accelerators"] for source in entry["sources"].values()}
    assert named == content["sources"].keys()


def test_figures_are_consistent():
    for spec in accelerators():
        reported = spec.memory_reported_bytes or spec.memory_nominal_bytes
        # Error correction in plain memory takes a tenth of an Ascend 310P, the 910B4's runtime a twelfth of the card.
        assert 0.9 < reported / spec.memory_nominal_bytes < 1.02, spec.id
        assert 0.92 * reported < (spec.memory_usable_bytes or reported - 1) < reported, spec.id
        rates = spec.dense_tflops
        if "bf16" in rates and "fp8" in rates and spec.vendor != "intel":
            assert rates["fp8"] == pytest.approx(2 * rates["bf16"], rel=0.02), spec.id
        if spec.link == "PCIe":
            assert spec.link_bytes_per_s == spec.pcie_bytes_per_s is not None, spec.id
        if spec.link_bytes_per_s and spec.pcie_bytes_per_s:
            assert spec.link_bytes_per_s >= spec.pcie_bytes_per_s, spec.id


def test_links_count_one_direction():
    assert find_accelerator("H100").link_bytes_per_s == 450e9
    assert find_accelerator("RTX 4090").link_bytes_per_s == pytest.approx(31.5e9, rel=0.001)


def test_formats_follow_what_the_chip_computes():
    hopper, ampere = find_accelerator("H20"), find_accelerator("A100")
    assert "fp8-block" in formats_run(hopper, "vllm")
    assert "fp8-block" not in ampere.formats and "fp8-weight-only" in formats_run(ampere, "vLLM")
    assert "bf16" not in find_accelerator("T4").formats
    assert "w8a8-int8" not in formats_run(find_accelerator("RTX 5090"), "vllm")
    assert not any(format.startswith("fp8") for format in find_accelerator("Ascend 910B3").formats)
    assert formats_run(find_accelerator("V100"), "vllm") == () and "gguf" in find_accelerator("V100").formats


def test_engines_name_only_known_formats_and_their_sources():
    content = json.loads(files("dsdeploy.core.data").joinpath("engines.json").read_text(encoding="utf-8"))
    for engine in engines():
        assert (
            engine.sources and {one for formats in engine.runs.values() for one in formats} <= content["formats"].keys()
        )
    with pytest.raises(UnknownEngine) as caught:
        find_engine("vlm")
    assert "vllm" in caught.value.hint.render("en")
