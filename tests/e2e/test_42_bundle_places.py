"""Images out of a bundle into what runs them: a real registry, a real containerd. Each is started here and stopped."""

import gzip
import hashlib
import io
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tarfile
import urllib.request
from pathlib import Path

import pytest

from dsdeploy.adapters.bundle.image_archive import read_archive
from dsdeploy.adapters.bundle.images import deliver_images
from dsdeploy.adapters.bundle.registry import Registry
from dsdeploy.core import errors
from dsdeploy.core.progress import SILENT
from tests.program import free_port, wait_until

NAME = "docker.io/dsdeploy-test/carried:1"
PASSWORD_HASH = "$2y$04$Pv4oS0LPUtYXKAgS9uPOlueSThhnqmhdn7UPvKySpo8WtzlDkQUGC"  # bcrypt of "secret"
LAYERS_BYTES = (3_000_000, 90_000_000)  # the second takes two requests


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """As `docker save` of an older engine writes it: layers as plain tars, one of them by way of a link."""
    path = tmp_path_factory.mktemp("image") / "image.tar"
    layers = []
    for number, size in enumerate(LAYERS_BYTES):
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as layer:
            member = tarfile.TarInfo(f"file-{number}")
            member.size = size
            layer.addfile(member, io.BytesIO(random.Random(number).randbytes(size)))
        layers.append(content.getvalue())
    diff_ids = [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in layers]
    config = json.dumps(
        {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    ).encode()
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [NAME], "Layers": ["a/layer.tar", "b/layer.tar"]}]
    with tarfile.open(path, "w") as made:
        for place, content in ((name, config), ("manifest.json", json.dumps(manifest).encode())):
            _add(made, place, content)
        _add(made, "a/layer.tar", layers[0])
        _add(made, "c/layer.tar", layers[1])
        link = tarfile.TarInfo("b/layer.tar")
        link.type, link.linkname = tarfile.SYMTYPE, "../c/layer.tar"
        made.addfile(link)
    return path


def _add(made: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    made.addfile(member, io.BytesIO(content))


class RunningRegistry:
    """Debian's `docker-registry` on a free port of loopback; `locked` makes it ask for a password."""

    def __init__(self, folder: Path, locked: bool = False) -> None:
        self.folder, self.port = folder, free_port()
        self.place = f"127.0.0.1:{self.port}"
        users = folder / "users"
        auth = ""
        if locked:
            users.write_text(f"u:{PASSWORD_HASH}\n")
            auth = f"auth: {{htpasswd: {{realm: test, path: {users}}}}}\n"
        (folder / "config.yml").write_text(
            f"version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
            f"http: {{addr: '{self.place}', secret: kept}}\n{auth}"
        )
        self.start()

    def start(self) -> None:
        words = ["docker-registry", "serve", str(self.folder / "config.yml")]
        log = (self.folder / "log").open("a")
        self.process = subprocess.Popen(words, stdout=log, stderr=log)
        wait_until(lambda: _listens(self.port))

    def stop(self, how: int = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(30)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def registry(tmp_path):
    if not shutil.which("docker-registry"):
        pytest.fail("no docker-registry here: run scripts/install-test-parts.sh")
    running = RunningRegistry(tmp_path)
    yield running
    running.stop()


def pulled(place: str, pinned: str) -> dict:
    """The manifest by digest, and every blob hashed again."""
    repository, digest = pinned.removeprefix(place + "/").split("@")
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    address = f"http://{place}/v2/{repository}"
    manifest = urllib.request.urlopen(urllib.request.Request(f"{address}/manifests/{digest}", headers=accept)).read()
    assert f"sha256:{hashlib.sha256(manifest).hexdigest()}" == digest
    document = json.loads(manifest)
    for blob in (document["config"], *document["layers"]):
        content = urllib.request.urlopen(f"{address}/blobs/{blob['digest']}").read()
        assert len(content) == blob["size"] and f"sha256:{hashlib.sha256(content).hexdigest()}" == blob["digest"]
    return document


def test_an_image_is_pushed_pinned_and_pushed_again_for_nothing(archive, registry, tmp_path):
    (done,) = deliver_images((archive,), f"{registry.place}/project", tmp_path / "state", None, SILENT)
    assert done.reference == f"{registry.place}/project/dsdeploy-test/carried:1" and done.large_layers == ()
    document = pulled(registry.place, done.pinned)
    assert document["config"]["digest"] == f"sha256:{read_archive(archive).image_id}"
    again = Registry(f"{registry.place}/project", tmp_path / "state").push(read_archive(archive), NAME, SILENT)
    assert again.sent_bytes == 0 and again.pinned == done.pinned and not list((tmp_path / "state").iterdir())
    if shutil.which("skopeo"):
        words = ["skopeo", "inspect", "--tls-verify=false", f"docker://{done.reference}"]
        seen = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
        assert seen["Digest"] == done.pinned.partition("@")[2]


def as_engine_29(path: Path) -> tuple[Path, dict[str, bytes]]:
    """The same image as an engine writes it that keeps images in containerd: compressed layers, an index of platforms
    of which one is here, an attestation beside it. Shapes as in moby/moby issues 47065 and 49473."""
    old, blobs = read_archive(path), {}

    def keep(content: bytes, **more: object) -> dict:
        digest = hashlib.sha256(content).hexdigest()
        blobs[digest] = content
        return {"digest": f"sha256:{digest}", "size": len(content), **more}

    with path.open("rb") as file:
        layers = []
        for one in old.layers:
            file.seek(one.at_bytes)
            packed = gzip.compress(file.read(one.size_bytes), 1, mtime=0)
            layers.append(keep(packed, mediaType="application/vnd.oci.image.layer.v1.tar+gzip"))
    kind = "application/vnd.oci.image.manifest.v1+json"
    config = keep(old.config, mediaType="application/vnd.oci.image.config.v1+json")
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers}
    other = {"digest": "sha256:" + "0" * 64, "size": 400, "platform": {"os": "linux", "architecture": "arm64"}}
    attested = keep(b'{"schemaVersion":2,"config":{"digest":"sha256:1"},"layers":[]}', mediaType=kind)
    here = keep(json.dumps(manifest).encode(), mediaType=kind, platform={"os": "linux", "architecture": "amd64"})
    index = {"schemaVersion": 2, "manifests": [{"mediaType": kind, **other}, attested, here]}
    top = keep(json.dumps(index).encode(), mediaType="application/vnd.oci.image.index.v1+json")
    place = {one["digest"]: f"blobs/{one['digest'].replace(':', '/')}" for one in (config, *layers)}
    said = {"Config": place[config["digest"]], "RepoTags": [NAME], "Layers": [place[one["digest"]] for one in layers]}
    made = path.with_name("engine-29.tar")
    with tarfile.open(made, "w") as archive:
        _add(archive, "index.json", json.dumps({"schemaVersion": 2, "manifests": [top]}).encode())
        _add(archive, "manifest.json", json.dumps([said]).encode())
        for digest, content in blobs.items():
            _add(archive, f"blobs/sha256/{digest}", content)
    return made, blobs


def test_what_an_engine_with_containerds_store_saves_keeps_its_digests(archive, registry, tmp_path):
    path, blobs = as_engine_29(archive)
    found = read_archive(path)
    assert found.image_id == read_archive(archive).image_id
    assert all(one.digest[7:] in blobs and one.size_bytes == len(blobs[one.digest[7:]]) for one in found.layers)
    assert [blobs[one[7:]] for one in found.digests][-1] == found.manifest
    (done,) = deliver_images((path,), registry.place, tmp_path / "state", None, SILENT)
    assert done.pinned.endswith(f"@{found.digests[-1]}")
    assert pulled(registry.place, done.pinned)["layers"][1]["digest"] == found.layers[1].digest


def test_an_archive_that_lost_a_layer_is_refused(archive, tmp_path):
    """As an engine of that kind writes it when it never pulled one of them."""
    path, _ = as_engine_29(archive)
    lost = read_archive(path).layers[0].digest[7:]
    cut = tmp_path / "cut.tar"
    with tarfile.open(path) as whole, tarfile.open(cut, "w") as made:
        for member in whole:
            if lost not in member.name:
                made.addfile(member, whole.extractfile(member))
    with pytest.raises(ValueError, match=lost):
        read_archive(cut)


def test_a_layer_that_a_harbor_may_refuse_is_told(archive, registry, tmp_path, monkeypatch):
    monkeypatch.setattr("dsdeploy.adapters.bundle.registry.LARGE_LAYER_BYTES", 10_000_000)
    (done,) = deliver_images((archive,), registry.place, tmp_path / "state", None, SILENT)
    assert done.large_layers == (read_archive(archive).layers[1].digest,)


class Dies(Exception):
    pass


def test_an_upload_that_was_cut_off_goes_on(archive, registry, tmp_path, monkeypatch):
    from dsdeploy.adapters.bundle import registry as client

    sent: list[int] = []
    real = client.Registry._send

    def counted(self, place, file, layer, at, size):
        if len(sent) == 2:
            raise Dies
        sent.append(size)
        return real(self, place, file, layer, at, size)

    monkeypatch.setattr(client.Registry, "_send", counted)
    place = Registry(registry.place, tmp_path / "state")
    with pytest.raises(Dies):
        place.push(read_archive(archive), NAME, SILENT)
    registry.stop(signal.SIGKILL)
    with pytest.raises(errors.RegistryUnreachable):
        Registry(registry.place, tmp_path / "state").push(read_archive(archive), NAME, SILENT)
    registry.start()
    monkeypatch.setattr(client.Registry, "_send", real)
    done = Registry(registry.place, tmp_path / "state").push(read_archive(archive), NAME, SILENT)
    assert done.sent_bytes < LAYERS_BYTES[1] - 60_000_000
    pulled(registry.place, done.pinned)


def test_a_registry_that_asks_for_a_password_gets_what_docker_login_kept(archive, tmp_path, monkeypatch):
    import base64

    running = RunningRegistry(tmp_path, locked=True)
    try:
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        with pytest.raises(errors.RegistryRefused):
            Registry(running.place, tmp_path / "state").push(read_archive(archive), NAME, SILENT)
        kept = {"auths": {running.place: {"auth": base64.b64encode(b"u:secret").decode()}}}
        (tmp_path / "config.json").write_text(json.dumps(kept))
        done = Registry(running.place, tmp_path / "state").push(read_archive(archive), NAME, SILENT)
        assert done.sent_bytes > sum(LAYERS_BYTES)
    finally:
        running.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="containerd needs root")
def test_an_image_arrives_in_containerd(archive, tmp_path, monkeypatch):
    if not shutil.which("containerd"):
        pytest.fail("no containerd here: run scripts/install-test-parts.sh")
    address = f"/run/dsdeploy-test-{os.getpid()}.sock"
    (tmp_path / "config.toml").write_text(
        f'version = 2\nroot = "{tmp_path}/root"\nstate = "{tmp_path}/state"\n'
        'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        f'[grpc]\n  address = "{address}"\n'
    )
    with (tmp_path / "log").open("w") as log:
        daemon = subprocess.Popen(["containerd", "--config", str(tmp_path / "config.toml")], stdout=log, stderr=log)
    try:
        monkeypatch.setenv("CONTAINERD_ADDRESS", address)
        ctr = ["ctr", "--namespace", "k8s.io", "images", "ls", "-q"]
        wait_until(lambda: subprocess.run(ctr, capture_output=True).returncode == 0)
        (done,) = deliver_images((archive,), "containerd", tmp_path / "uploads", None, SILENT)
        assert done.pinned == f"sha256:{read_archive(archive).image_id}"
        assert NAME in subprocess.run(ctr, capture_output=True, text=True, check=True).stdout
        (tmp_path / "broken.tar").write_bytes(archive.read_bytes()[:100_000])
        with pytest.raises(errors.InstallError):
            deliver_images((tmp_path / "broken.tar",), "containerd", tmp_path / "uploads", None, SILENT)
    finally:
        daemon.terminate()
        daemon.wait(30)
        Path(address).unlink(missing_ok=True)
        Path(address + ".ttrpc").unlink(missing_ok=True)
