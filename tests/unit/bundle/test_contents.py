"""What stands beside the root: bill of materials, sums, and a script that needs no Python."""

import hashlib
import json
import shutil
import subprocess

import pytest

from dsdeploy.adapters.bundle.keys import generate_key
from dsdeploy.core.bundle.notice import notice
from dsdeploy.core.bundle.safety import judge_path, judge_paths
from dsdeploy.core.bundle.sbom import sbom
from dsdeploy.core.bundle.values import Bundle, BundleFile, BundleImage, BundleModel
from dsdeploy.core.bundle.volumes import CAPACITIES_BYTES, cut
from dsdeploy.core.errors import PayloadAltered
from tests.bundles import flip, ground


@pytest.fixture
def built(tmp_path):
    made = ground(tmp_path / "here")
    made.build(sm3=True)
    return made


def test_the_bill_of_materials_keeps_to_its_schema_and_names_licences():
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    path = "weights/deepseek-r1/fp8/a.safetensors"
    licence = "weights/deepseek-r1/fp8/LICENSE"
    model = BundleModel("deepseek-r1", "fp8", "hub", "a" * 40, (path, licence))
    image = BundleImage("images/e.tar", ("vllm/vllm-openai:v1",), "4" * 64)
    files = tuple(
        BundleFile(name, str(number) * 64)
        for number, name in enumerate(("plan.yaml", path, licence, "images/e.tar", "wheels/PyYAML-6.0-cp311-x.whl"), 1)
    )
    bundle = Bundle(1, "r1", 3, "2026-01-01T00:00:00Z", None, (model,), (image,), files, (), ())
    words = sbom(bundle, "1.0")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(words) is None
    component, *others = json.loads(words)["components"]
    assert component["modelCard"]["modelParameters"]["modelArchitecture"] == "DeepseekV3ForCausalLM"
    assert [one.get("purl") for one in others] == [None, None, "pkg:pypi/pyyaml@6.0"]
    assert (
        others[1]["type"] == "container"
        and {"name": "dsdeploy:reference", "value": "vllm/vllm-openai:v1"} in (others[1]["properties"])
    )
    assert notice(bundle).count(licence) == 2 and "MIT License" in notice(bundle)
    assert component["licenses"][0]["license"]["id"] == "MIT" and component["type"] == "machine-learning-model"
    assert component["components"][0]["hashes"] == [{"alg": "SHA-256", "content": "2" * 64}]


def test_the_sums_are_those_of_the_files(built):
    def said(name):
        return dict(line.split("  ")[::-1] for line in (built.folder / "bundle" / name).read_text().splitlines())

    shard = "weights/tiny/gguf-q4/tiny-0.safetensors"
    data = (built.weights / "tiny-0.safetensors").read_bytes()
    assert said("SHA256SUMS")[shard] == hashlib.sha256(data).hexdigest()
    assert said("SM3SUMS")[shard] == hashlib.new("sm3", data).hexdigest()


def sm3_lines(made, name: str) -> set[str]:
    return set((made.folder / name / "SM3SUMS").read_text().splitlines())


def test_a_base_without_sm3_does_not_leave_gaps_in_the_list_of_all_files(tmp_path):
    made = ground(tmp_path / "here")
    made.build("plain")
    made.write(seed=3, changed=(1,))
    carried = made.build("delta", sequence=2, base=made.folder / "plain", sm3=True).carried_bytes
    assert carried == made.sizes[1], "read again, not carried again"
    made.build("whole", sm3=True)
    assert sm3_lines(made, "delta") == sm3_lines(made, "whole") and len(sm3_lines(made, "whole")) == 4
    made.build("next", sequence=3, base=made.folder / "delta", sm3=True)
    assert sm3_lines(made, "next") == sm3_lines(made, "whole")
    made.build("asked-for-none", sequence=3, base=made.folder / "delta")
    assert not (made.folder / "asked-for-none/SM3SUMS").exists()


def test_an_sm3_is_never_that_of_other_bytes_than_the_sha256(tmp_path):
    """What the base holds is not carried, and yet it is proven before it is spoken of."""
    made = ground(tmp_path / "here")
    made.build("plain")
    flip(made.weights / "tiny-0.safetensors", 5)
    with pytest.raises(PayloadAltered, match="bundle-payload-altered"):
        made.build("delta", sequence=2, base=made.folder / "plain", sm3=True)
    assert not (made.folder / "delta/dsdeploy-bundle.json").exists()


@pytest.fixture(params=["dash", "busybox"])
def shell(request, tmp_path, monkeypatch) -> tuple[str, ...]:
    """What /bin/sh is on Debian and on Alpine, the latter with its own applets beside openssl alone."""
    found, openssl = shutil.which(request.param), shutil.which("openssl")
    if found is None or openssl is None:
        pytest.fail(f"no {request.param} here: run scripts/install-test-parts.sh")
    if request.param == "dash":
        return (found,)
    (tmp_path / "bin").mkdir()
    subprocess.run([found, "--install", "-s", str(tmp_path / "bin")], check=True)
    (tmp_path / "bin/openssl").unlink(missing_ok=True)
    (tmp_path / "bin/openssl").symlink_to(openssl)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return found, "sh"


@pytest.mark.parametrize("algorithm", ["ed25519", "ecdsa-p256", "sm2"])
def test_the_script_takes_a_sound_bundle_apart_and_refuses_a_broken_one(tmp_path, algorithm, shell):
    made = ground(tmp_path / "here")
    generate_key(made.folder, "other", algorithm)
    made.build(keys=(str(made.folder / "other.key"),))
    folder, key, out = made.folder / "bundle", made.folder / "other.pub", made.folder / "out"

    def script(*words):
        return subprocess.run(
            [*shell, str(folder / "verify.sh"), *map(str, words)], capture_output=True, text=True, timeout=120
        )

    assert (r := script(key, folder, "-x", out)).returncode == 0, r.stderr
    for shard in made.weights.glob("*.safetensors"):
        assert (out / "weights/tiny/gguf-q4" / shard.name).read_bytes() == shard.read_bytes()
    assert script(made.folder / "k.pub", folder).returncode == 13, "another key"
    volume = sorted(folder.glob("*.tar"))[1]
    sound = volume.read_bytes()
    volume.write_bytes(sound[:700] + bytes([sound[700] ^ 1]) + sound[701:])
    assert (r := script(key, folder)).returncode == 13 and "altered" in r.stderr
    volume.unlink()
    assert (r := script(key, folder)).returncode == 13 and "missing" in r.stderr
    volume.write_bytes(sound)
    shutil.copy(volume, folder / "again.tar")
    assert script(key, folder).returncode == 13
    (folder / "again.tar").unlink()
    for name in ("dsdeploy-bundle.json", "SHA256SUMS", "EXTENTS.sha256"):
        kept = (folder / name).read_bytes()
        (folder / name).write_bytes(kept.replace(b"0", b"1", 1))
        assert script(key, folder).returncode == 13, name
        (folder / name).write_bytes(kept)
    assert script(key, folder).returncode == 0
    made.write(seed=3, changed=(1,))
    made.build("delta", keys=(str(made.folder / "other.key"),), sequence=2, base=folder)
    r = script(key, made.folder / "delta", "-x", made.folder / "new")
    assert r.returncode == 0 and "in the base: weights/tiny/gguf-q4/tiny-0.safetensors" in r.stdout, r.stderr
    assert [one.name for one in (made.folder / "new/weights/tiny/gguf-q4").iterdir()] == ["tiny-1.safetensors"]


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/passwd", "extra/../x", "extra//x", "./plan.yaml", "extra/a\\b", "extra/c:d", "extra/a\nb", "other/x"),
        *("extra/ x", "extra/" + "n" * 256),
    ],
)
def test_no_path_leaves_its_folder(path):
    with pytest.raises(ValueError):
        judge_path(path)


@pytest.mark.parametrize(
    "paths", [("extra/a", "extra/A"), ("extra/a", "extra/a"), ("extra/a", "extra/a/b"), ("extra/é", "extra/e\u0301")]
)
def test_no_two_paths_meet_on_a_file_system_that_folds_case(paths):
    with pytest.raises(ValueError):
        judge_paths(paths)


def test_volumes_fit_their_medium_and_hold_every_byte_once():
    sizes = (0, 1, 511, 512, 10 * 2**30, 700)
    for capacity in (4096, 5000, *CAPACITIES_BYTES.values(), None):
        wanted = tuple(size % 100_000 for size in sizes) if capacity and capacity < 10_000 else sizes
        slots = cut(wanted, capacity)
        for content, size in enumerate(wanted):
            parts = [one for one in slots if one.content == content]
            assert sum(one.size_bytes for one in parts) == size and parts[0].offset_bytes == 0
        ends = [one.at_bytes + 512 + -(-one.size_bytes // 512) * 512 + 1024 for one in slots]
        assert capacity is None or max(ends) <= capacity
