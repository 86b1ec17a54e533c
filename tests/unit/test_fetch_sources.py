"""Every source brings the same files, and only those: tensors, what an engine reads beside them, licences."""

import hashlib
import json
import subprocess
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from dsdeploy.adapters.hubs import Source, find_hub
from dsdeploy.core import errors
from dsdeploy.core.layout import Layout
from dsdeploy.core.progress import SILENT
from dsdeploy.core.weight_files import tensor_files
from dsdeploy.stages.fetch import fetch_operations, fetch_weights
from tests.fakes.hub import COMMIT, FakeHub

REPO = "deepseek-ai/DeepSeek-Test"
SHARDS = 200
BESIDE = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "LICENSE",
    "LICENSE-MODEL",
)
NEVER = ("modeling_deepseek.py", "pytorch_model.bin", "inference/model.py", "README.md", "original/other.safetensors")


@dataclass(frozen=True)
class Wanted:
    """What fetching reads of a plan."""

    weights_pattern: str = "*.safetensors"
    weights_repo: str = REPO
    weights_revision: str | None = None
    weights_sha256: str | None = None
    weights_bytes: int = 0
    model_id: str = "deepseek-test"
    format: str = "fp8"


def safetensors(number: int) -> bytes:
    header = json.dumps({f"t{number}": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}).encode()
    return len(header).to_bytes(8, "little") + header + number.to_bytes(4, "little")


def repository() -> dict[str, bytes]:
    shards = {f"model-{n:05d}-of-{SHARDS:05d}.safetensors": safetensors(n) for n in range(1, SHARDS + 1)}
    index = {"weight_map": {f"t{n}": name for n, name in enumerate(shards)}}
    beside = {name: name.encode() for name in (*BESIDE, *NEVER)}
    return {**shards, **beside, "model.safetensors.index.json": json.dumps(index).encode()}


def fetched(folder: Path, hub, plan: Wanted = Wanted()) -> dict[str, bytes]:
    weights = fetch_weights(plan, Layout(folder), hub, SILENT)
    here = {one.name: (Path(weights.directory) / one.name).read_bytes() for one in weights.files}
    assert all(hashlib.sha256(here[one.name]).hexdigest() == one.sha256 for one in weights.files)
    left = {path.name for path in Path(weights.directory).rglob("*")}
    assert left == {Path(name).name for name in here} | {"weights.json", "verified.json"}
    return here


def expected(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if name not in NEVER}


@pytest.mark.parametrize("origin", ["hub", "modelscope"])
def test_a_whole_repository_of_safetensors_and_no_code(tmp_path, origin, monkeypatch):
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", "t")
    monkeypatch.setenv("HF_TOKEN", "t")
    files = repository()
    with FakeHub(REPO, files, token="t") as hub:
        found = fetched(tmp_path, find_hub(origin, Source(endpoint=hub.url)))
    assert found == expected(files) and next(iter(found)).startswith("model-00001")


def test_a_plan_made_for_modelscope_keeps_to_its_commit(tmp_path):
    with FakeHub(REPO, repository(), branch=COMMIT) as hub:
        with pytest.raises(errors.WeightsNotFound):
            fetched(tmp_path, find_hub("hub", Source("modelscope", endpoint=hub.url)), Wanted(weights_revision=COMMIT))
        ours = find_hub("modelscope", Source(endpoint=hub.url))
        assert fetched(tmp_path, ours, Wanted(weights_revision=COMMIT)) == expected(repository())


def test_a_commit_of_modelscope_that_states_no_digest_is_held_to_its_branchs(tmp_path):
    with FakeHub(REPO, repository(), branch=COMMIT, nameless=True) as hub:
        ours = find_hub("modelscope", Source(endpoint=hub.url))
        listed = ours.list_files(REPO, COMMIT)
        assert listed.revision == COMMIT and all(one.sha256 for one in listed.files)
        assert fetched(tmp_path / "a", ours, Wanted(weights_revision=COMMIT)) == expected(repository())
        hub.files |= {"model-00001-of-00200.safetensors": safetensors(2)}
        ours.list_files = lambda repo, revision: listed
        with pytest.raises(errors.DigestMismatch):
            fetched(tmp_path / "b", ours, Wanted(weights_revision=COMMIT))


def test_a_wrong_token_of_modelscope_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", "wrong")
    with FakeHub(REPO, repository(), token="t") as hub, pytest.raises(errors.HubRefused):
        find_hub("modelscope", Source(endpoint=hub.url)).list_files(REPO, None)


def test_tensors_beside_the_index_stay_and_one_that_it_names_in_vain_is_an_error(tmp_path):
    files = repository() | {"consolidated.safetensors": safetensors(1)}
    with FakeHub(REPO, files) as hub:
        found = fetched(tmp_path / "a", find_hub("hub", Source(endpoint=hub.url)))
        assert "consolidated.safetensors" not in found and len(found) == len(expected(repository()))
        del files["model-00007-of-00200.safetensors"]
        with pytest.raises(errors.WeightsNotFound, match="index-names-more"):
            fetched(tmp_path / "b", find_hub("hub", Source(endpoint=hub.url)))


def test_a_small_file_is_held_against_its_git_id(tmp_path):
    files = repository()
    with FakeHub(REPO, files) as hub:
        source = find_hub("hub", Source(endpoint=hub.url))
        listing = source.list_files(REPO, None)
        hub.files = files | {"config.json": b"c0nfig.json"}
        source.list_files = lambda repo, revision: listing
        with pytest.raises(errors.DigestMismatch):
            fetched(tmp_path, source)
    assert not list(tmp_path.rglob("config.json*"))


@pytest.mark.parametrize("pattern", ["*.bin", "*.py", "*", "pytorch_model*"])
def test_pickle_and_code_are_refused(tmp_path, pattern):
    with FakeHub(REPO, repository()) as hub, pytest.raises(errors.WeightsUnsafe):
        fetched(tmp_path, find_hub("hub", Source(endpoint=hub.url)), Wanted(pattern))
    assert not list(tmp_path.rglob("*.*"))


@pytest.mark.parametrize("name", ["../x.safetensors", "/x.safetensors", "a\\x.safetensors"])
def test_a_name_that_leaves_the_folder_is_refused(name):
    with pytest.raises(ValueError, match="safetensors"):
        tensor_files([name], "*.safetensors")


def test_large_files_come_in_parallel_ranges_and_from_a_server_without_ranges_too(tmp_path):
    data = b"GGUF" + (3).to_bytes(4, "little") + bytes(16) + bytes(range(251)) * 800_000
    plan = Wanted("*.gguf")
    with FakeHub(REPO, {"m.gguf": data}, block_pause_s=0.0005) as hub:
        assert fetched(tmp_path / "a", find_hub("hub", Source(endpoint=hub.url)), plan)["m.gguf"] == data
        assert hub.most_at_once > 1 and len(set(hub.ranges)) == len(hub.ranges) > 3
        hub.ranged, hub.block_pause_s = False, 0
        assert fetched(tmp_path / "b", find_hub("hub", Source(endpoint=hub.url)), plan)["m.gguf"] == data


def test_a_token_does_not_follow_to_another_host(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    with FakeHub(REPO, repository()) as store, FakeHub(REPO, repository(), token="secret") as hub:
        hub.elsewhere = store.url.replace("127.0.0.1", "localhost")
        assert fetched(tmp_path, find_hub("hub", Source(endpoint=hub.url))) == expected(repository())
        assert set(store.authorized) == {None} and set(hub.authorized) == {"Bearer secret"}


def test_a_proxy_is_used_when_the_environment_names_one(tmp_path, monkeypatch):
    with FakeHub(REPO, repository()) as hub:
        for name in ("no_proxy", "NO_PROXY", "https_proxy", "HTTPS_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("http_proxy", hub.url)
        assert urllib.request.getproxies()["http"] == hub.url
        assert fetched(tmp_path, find_hub("hub", Source(endpoint="http://hub.invalid"))) == expected(repository())


def test_a_private_authority_is_trusted_when_named_and_only_then(tmp_path):
    made = tmp_path / "hub.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=hub"]
    words += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "ca")]
    subprocess.run(words, check=True, capture_output=True)
    made.write_bytes((tmp_path / "key").read_bytes() + (tmp_path / "ca").read_bytes())
    with FakeHub(REPO, repository(), certificate=made) as hub:
        with pytest.raises(errors.HubUnreachable):
            fetched(tmp_path / "home", find_hub("hub", Source(endpoint=hub.url)))
        trusting = find_hub("hub", Source(endpoint=hub.url, ca_file=tmp_path / "ca"))
        assert fetched(tmp_path / "home", trusting) == expected(repository())
    with pytest.raises(errors.InvalidRequest):
        find_hub("hub", Source(ca_file=tmp_path / "nowhere"))


def test_a_folder_and_a_cache_of_hugging_face_are_sources(tmp_path):
    files = repository()
    place = tmp_path / "hub" / f"models--{REPO.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs/main").write_text(COMMIT)
    with FakeHub(REPO, files) as hub:
        listed = find_hub("hub", Source(endpoint=hub.url)).list_files(REPO, None).files
    for one in listed:
        blob, link = place / "blobs" / str(one.sha256 or one.git_sha1), place / "snapshots" / COMMIT / one.name
        for path in (blob, link):
            path.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(files[one.name])
        link.symlink_to(blob)
    cache = find_hub("hub", Source("huggingface-cache", tmp_path / "hub"))
    assert fetched(tmp_path / "a", cache) == expected(files)
    assert fetched(tmp_path / "b", find_hub("hub", Source(folder=place / "snapshots" / COMMIT))) == expected(files)
    (place / "blobs" / str(listed[0].sha256)).write_bytes(safetensors(9999))
    with pytest.raises(errors.DigestMismatch):
        fetched(tmp_path / "c", cache)
    with pytest.raises(errors.WeightsNotFound):
        fetched(tmp_path / "d", cache, Wanted(weights_repo="deepseek-ai/nothing"))


@pytest.mark.parametrize(
    ("repo", "manifest", "pattern"),
    [
        ("bartowski/R1-GGUF", "hf.co/bartowski/R1-GGUF/Q4_K_M", "*Q4_K_M.gguf"),
        ("deepseek-r1:1.5b", "registry.ollama.ai/library/deepseek-r1/1.5b", "*.gguf"),
    ],
)
def test_a_cache_of_ollama_is_a_source_with_its_licence(tmp_path, repo, manifest, pattern):
    data, licence = b"GGUF" + (3).to_bytes(4, "little") + bytes(16) + b"weights", b"MIT License"
    models = tmp_path / "models"
    layers = [("image.model", data), ("image.license", licence), ("image.template", b"{{ .Prompt }}")]
    told = [
        {"mediaType": f"application/vnd.ollama.{kind}", "digest": f"sha256:{hashlib.sha256(one).hexdigest()}"}
        | {"size": len(one)}
        for kind, one in layers
    ]
    path = models / "manifests" / manifest
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"schemaVersion": 2, "layers": told}))
    (models / "blobs").mkdir()
    for _, one in layers:
        (models / "blobs" / f"sha256-{hashlib.sha256(one).hexdigest()}").write_bytes(one)
    found = fetched(tmp_path / "home", find_hub("hub", Source("ollama-cache", models)), Wanted(pattern, repo))
    assert sorted(found.values()) == sorted([data, licence])


@pytest.mark.parametrize("origin", ["hub", "modelscope"])
def test_what_is_asked_and_said_names_the_address_without_its_password(tmp_path, origin):
    hub = find_hub(origin, Source(endpoint="http://ops:geheim@127.0.0.1:9/hf"))
    assert hub.place == "http://127.0.0.1:9/hf"
    (asked,) = fetch_operations(Wanted(), None, hub.place)
    assert "http://127.0.0.1:9/hf" in asked.text.render("en")
    with pytest.raises(errors.HubUnreachable) as caught:
        fetched(tmp_path, hub)
    said = caught.value.message.render("en")
    assert "http://127.0.0.1:9/hf" in said and "geheim" not in said
    assert find_hub(origin, Source(folder=tmp_path)).place == str(tmp_path)
